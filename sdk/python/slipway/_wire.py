"""The control socket: what a step and slipway-init say to each other.

A frame is four bytes of length, little endian, and one JSON object. A connection is made for each request: it costs
some microseconds, and what several threads ask for at once never mixes.
"""
from __future__ import annotations

import json
import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

MOST_BYTES = 1 << 20  # of a request
MOST_ANSWER = 16 << 20
CONNECT = 30.0  # seconds: to be let in and have the request taken
ANSWER = 60.0
OWNERS_ANSWER = 660.0  # what only the program outside of the sandbox can tell

HOW_TO_RUN = (
    "this needs a job of Slipway, and SLIPWAY_SOCKET is not set. Make the script a step of a job,\n"
    "  job:\n"
    "    name: pipeline\n"
    "    run: python3 {script}\n"
    "in .slipway/jobs/pipeline.yaml, and start it by `slipway run .slipway/jobs/pipeline.yaml`."
)


class SlipwayError(Exception):
    """What Slipway refused or could not do. `kind` says which: `invalid`, `not_found`, `denied` (a trigger),
    `exhausted`, `unavailable`, ..."""

    def __init__(self, message: str, kind: str = "internal") -> None:
        super().__init__(message)
        self.kind = kind


class NotInJob(SlipwayError):
    """There is no job that could be asked: the message says how to run the script in one."""

    def __init__(self) -> None:
        import sys
        if os.environ.get("SLIPWAY_SANDBOX"):
            message = ("untrusted source has no job to ask: neither a `run_as: source` step nor what `slipway sandbox` "
                       "runs may speak for it")
        else:
            message = HOW_TO_RUN.format(script=os.path.basename(sys.argv[0]) or "script.py")
        super().__init__(message, "unavailable")


def is_in_job() -> bool:
    """Whether this program is a step of a job, which can be asked for things."""
    return bool(os.environ.get("SLIPWAY_SOCKET"))


def ask(request: Dict[str, Any], answer_within: Optional[float] = ANSWER) -> Dict[str, Any]:
    """Sends `request`, waits for its answer and returns the result in it. `SlipwayError` says what went wrong."""
    path = os.environ.get("SLIPWAY_SOCKET")
    if not path:
        raise NotInJob()
    if request.get("do") != "mask":  # which may well hide what is not written yet
        _flush()
    try:
        text = json.dumps(request).encode("ascii")
    except (TypeError, ValueError) as error:
        raise SlipwayError(f"cannot be written as JSON: {error}", "invalid") from None
    if len(text) > MOST_BYTES:
        raise SlipwayError(f"a request may hold {MOST_BYTES} bytes, this one has {len(text)}", "exhausted")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(CONNECT)
        try:
            connection.connect(path)
        except OSError as error:
            raise SlipwayError(f"the job does not listen at {path}: {error.strerror or error}", "unavailable") from None
        try:
            connection.sendall(len(text).to_bytes(4, "little") + text)
        except OSError:
            pass  # it was refused, and the answer that waits says why
        connection.settimeout(answer_within)
        try:
            size = int.from_bytes(_read(connection, 4), "little")
            if size > MOST_ANSWER:
                raise SlipwayError("the job's answer is broken", "internal")
            answer = json.loads(_read(connection, size))
        except OSError as error:  # a timeout is one too
            raise SlipwayError(f"the job did not answer: {error}", "unavailable") from None
        except ValueError:
            raise SlipwayError("the job's answer is broken", "internal") from None
    if answer.get("ok"):
        result: Dict[str, Any] = answer.get("result") or {}
        return result
    raise SlipwayError(str(answer.get("error") or "refused"), str(answer.get("kind") or "internal"))


def _flush() -> None:
    """What was printed before stands before: a step, a group or a remark would overtake it."""
    import sys
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):  # closed: the program's own affair
            pass


def _read(connection: socket.socket, size: int) -> bytes:
    read = bytearray()
    while len(read) < size:
        got = connection.recv(size - len(read))
        if not got:
            raise SlipwayError("the job's socket was closed without an answer", "unavailable")
        read += got
    return bytes(read)

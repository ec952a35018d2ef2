"""What `slipway ... --json` says, as runnerlib prints it."""
from __future__ import annotations

import json
import os
import re
import sys
from datetime import datetime, timezone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

_CONFIGURATION = 1
# A job prints what it likes: of what could steer a terminal only colours pass (the group), as in `slipway run`.
_STEERING = re.compile("(\x1b\\[[0-9;:]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _printable(text: str) -> str:
    return _STEERING.sub(lambda found: found.group(1) or ascii(found.group())[1:-1], text)


def is_json() -> bool:
    return os.environ.get("LOG_FORMAT", "text").lower() == "json"


def complain(message: str) -> None:
    """An error of runnerlib's own."""
    if not is_json():
        print(f"runnerlib: {message}", file=sys.stderr)
        return
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    print(json.dumps({"timestamp": now, "level": "error", "component": "runnerlib", "message": message, "fields": {}}),
          file=sys.stderr)


def _problem(event: Dict[str, Any]) -> str:
    """A wrong place of a definition, in one line."""
    place = ":".join(str(event[key]) for key in ("file", "line", "column") if event.get(key))
    note = "" if event.get("severity") == "error" else f"{event.get('severity')}: "
    hint = f" ({event['hint']})" if event.get("hint") else ""
    return f"{place}: {note}{event.get('message', '')}{hint}"


class Printer:
    """Prints the jobs' output, `ISO8601 message` or (LOG_FORMAT=json) an object a line, and keeps how the run ended."""

    def __init__(self) -> None:
        self._json = is_json()
        self._job_code: Optional[int] = None

    def take(self, line: str) -> None:
        try:
            event: Dict[str, Any] = json.loads(line)
        except ValueError:
            return self._print("stdout", line.rstrip("\n"))
        kind = event.get("type")
        if kind == "output":
            self._print(str(event.get("stream", "stdout")), str(event.get("text", "")))
        elif kind == "job_finished" and event.get("exit_code") and self._job_code is None:
            self._job_code = int(event["exit_code"])
        elif kind == "problem":
            self._print("stderr", _problem(event))
        elif kind in ("notice", "annotation") and event.get("message"):
            self._print("stderr", str(event["message"]))
        elif kind == "job_finished" and event.get("outcome") not in ("succeeded", "skipped") and event.get("reason"):
            self._print("stderr", str(event["reason"]))

    def exit_code(self, of_slipway: int) -> int:
        """0 and signals as they are; of a job that failed its own; 1 for what Slipway refused."""
        if of_slipway == 0 or of_slipway >= 128:
            return of_slipway
        if of_slipway < 0:
            return 128 - of_slipway
        return self._job_code if self._job_code is not None else _CONFIGURATION

    def _print(self, stream: str, message: str) -> None:
        to = sys.stderr if stream == "stderr" else sys.stdout
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        if self._json:
            to.write(json.dumps({"timestamp": now, "stream": stream, "message": message}) + "\n")
        else:
            for line in message.split("\n"):
                to.write(f"{now} {_printable(line)}\n")
        to.flush()

"""Steps below the step that runs this program, and commands in a sandbox of their own."""
from __future__ import annotations

import os

from ._wire import SlipwayError, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Union
    Command = Union[str, Sequence[str]]
    Result = Dict[str, Any]

_SHELLS = {"sh": ["sh", "-e", "-c"], "bash": ["bash", "-euo", "pipefail", "-c"]}
_MOST_AT_ONCE = 32


class StepFailed(SlipwayError):
    """A step that was to succeed (`check=True`) did not. `step` is it, `result` what `run_step` would have returned."""

    def __init__(self, step: Step) -> None:
        super().__init__(f"step `{step.name}` {step.outcome}: {step.reason or 'no reason was given'}", "failed")
        self.step = step
        self.result = step.result


class Step:
    """One command, shown as a step of its own below the step that runs this program.

    `command` is a shell script (`sh -e`, or `shell="bash"` for `bash -euo pipefail`), or a list of words that is run
    without a shell. It has the user and the sandbox of the calling step, the environment of this program with `env` on
    top, and starts in `working_dir`, else where this program stands. `timeout` is in seconds.

    A step has run once `run` (or `run_step`, or `parallel`) returned:

    `success`       it ran and exited with 0; False before that
    `exit_code`     None before it ran; 128 + signal when one ended it
    `outcome`       `succeeded`, `failed`, `timed_out`, `cancelled`, `out_of_memory`, `infra_failed`; None before it ran
    `reason`        why it did not succeed, for people
    `outputs`       the outputs of the job that it set
    `artifacts`     what it uploaded by `slipway artifact`: name to URL
    `artifact_url`  the URL of the first of these; None when it uploaded nothing
    """

    def __init__(self, name: str, command: Optional[Command] = None, *, env: Optional[Mapping[str, str]] = None,
                 working_dir: Optional[str] = None, timeout: Optional[float] = None, shell: str = "sh") -> None:
        self.name = name
        self.command = command
        self.env = dict(env or {})
        self.working_dir = working_dir
        self.timeout = timeout
        self.shell = shell
        self.exit_code: Optional[int] = None
        self.outcome: Optional[str] = None
        self.reason = ""
        self.outputs: Dict[str, str] = {}
        self.artifacts: Dict[str, str] = {}
        self.result: Result = {}

    @property
    def success(self) -> bool:
        return self.outcome == "succeeded"

    @property
    def artifact_url(self) -> Optional[str]:
        return next(iter(self.artifacts.values()), None)

    def __repr__(self) -> str:
        return f"Step({self.name!r}, {self.outcome or 'has not run'})"

    def run(self, *, check: bool = False) -> Result:
        """Runs it and waits for its end. Returns `{"exit_code", "outcome", "outputs", ...}`.

        With `check`, a step that does not succeed raises `StepFailed`: left alone, that ends the program and so fails
        the step that it is.
        """
        end = ask(self._request(), None)
        self.exit_code = int(end.get("exit_code", 0))
        self.outcome = str(end.get("outcome", "infra_failed"))
        self.reason = str(end.get("reason", ""))
        self.outputs = dict(end.get("outputs") or {})
        self.artifacts = {one["name"]: one["url"] for one in end.get("artifacts") or []}
        self.result = {"name": self.name, "exit_code": self.exit_code, "outcome": self.outcome, "reason": self.reason,
                       "outputs": self.outputs, "artifacts": self.artifacts,
                       "cpu_seconds": end.get("cpu_micros", 0) / 1e6,
                       "memory_peak_bytes": end.get("memory_peak_bytes", 0)}
        if check and not self.success:
            raise StepFailed(self)
        return self.result

    def _request(self) -> Dict[str, Any]:
        request: Dict[str, Any] = {
            "do": "step", "name": self.name, "argv": words_of(self.command, self.shell, self.name),
            "env": _environment(self.env), "working_dir": os.path.abspath(self.working_dir or os.getcwd())}
        if self.timeout is not None:
            if not self.timeout > 0:
                raise ValueError(f"step `{self.name}`: a timeout of {self.timeout} s")
            request["timeout_ms"] = max(1, round(self.timeout * 1000))
        return request


def words_of(command: Optional[Command], shell: str, what: str) -> List[str]:
    """The words to execute for a script or a list of words."""
    if isinstance(command, str) and command.strip():
        if shell not in _SHELLS:
            raise ValueError(f"`{what}`: the shell `{shell}` is not known; use sh or bash, or give a list of words")
        return [*_SHELLS[shell], command]
    if command and not isinstance(command, str):
        return [os.fspath(word) for word in command]
    raise ValueError(f"`{what}` has no command")


def _environment(over: Mapping[str, str]) -> Dict[str, str]:
    environment = {**os.environ, **over}
    for name, value in over.items():
        if not isinstance(value, str):
            raise TypeError(f"env: the value of {name} is no text: {value!r}")
    # What is no text (undecodable bytes) cannot be written as JSON.
    return {name: value for name, value in environment.items() if _is_text(name) and _is_text(value)}


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def run_step(step: Union[Step, str], command: Optional[Command] = None, *, check: bool = False, **how: Any) -> Result:
    """Runs a `Step`, or a step made of a name, a command and the other arguments of `Step`. See `Step.run`.

    >>> run_step("test", "make check", timeout=600, check=True)["outcome"]
    'succeeded'
    """
    if isinstance(step, str):
        step = Step(step, command, **how)
    elif command is not None or how:
        raise TypeError("run_step takes a Step, or a name and a command with the arguments of Step")
    return step.run(check=check)


def parallel(*steps: Union[Step, Sequence[Any]], max_parallel: int = _MOST_AT_ONCE, check: bool = False) -> List[Result]:
    """Runs steps at the same time and waits for all of them. Returns their results, in the order of `steps`.

    Each is a `Step` or a pair `(name, command)`. With `check`, `StepFailed` of the first that did not succeed is raised
    when all have ended. What cannot be asked for at all raises too, behind the others' ends.
    """
    import threading

    made = [step if isinstance(step, Step) else Step(*step) for step in steps]
    errors: List[Optional[BaseException]] = [None] * len(made)
    left = iter(range(len(made)))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                index = next(left, None)
            if index is None:
                return
            try:
                made[index].run()
            except BaseException as error:  # of one thread: raised below, in the caller's
                errors[index] = error

    count = max(1, min(max_parallel, _MOST_AT_ONCE, len(made)))
    # Daemons: Ctrl-C or an exit of the main thread ends the program, and with it all that waits.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        if error is not None:
            raise error
    if check:
        for step in made:
            if not step.success:
                raise StepFailed(step)
    return [step.result for step in made]


def sandbox(command: Command, *, shares: Iterable[str] = (), outputs: Iterable[str] = (),
            working_dir: Optional[str] = None, shell: str = "sh", check: bool = False) -> Result:
    """Runs untrusted source in a sandbox of its own, that sees the source and each directory of `shares`.

    It has another user, no secret, no control socket and nothing of this program's environment. `outputs` are files
    below the source directory: they come back below `from-source` of the workspace. Returns
    `{"exit_code", "outcome", "reason", ...}`; with `check`, anything but success raises `SlipwayError`.
    """
    workspace = os.environ.get("SLIPWAY_WORKSPACE", "/job")
    source = os.path.join(workspace, "src")
    here = os.path.abspath(working_dir or os.getcwd())
    wanted = [os.path.abspath(share) for share in shares]
    is_seen = any(os.path.commonpath([here, top]) == top for top in [source, *wanted])
    end = ask({"do": "sandbox", "argv": words_of(command, shell, "sandbox"),
               "working_dir": here if is_seen else source, "shares": wanted,
               "outputs": [os.path.relpath(os.path.join(here, path), source) for path in outputs]}, None)
    if check and end.get("outcome") != "succeeded":
        raise SlipwayError(f"sandbox: {end.get('reason') or end.get('outcome')}", "failed")
    return {"outputs": {}, **end}

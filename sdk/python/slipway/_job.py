"""What a job says of itself: outputs, variables, artifacts, secrets, annotations, groups."""
from __future__ import annotations

import os

from ._wire import SlipwayError, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Dict, Iterator, Optional, Type


def _text(value: Any) -> str:
    """Texts as they are, truth values as YAML has them, the rest as Python prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


class _Named:
    """Names with values that are told to the job as they are set; what was set here can be read again."""

    def __init__(self, do: str) -> None:
        self._do = do
        self._known: Dict[str, str] = {}

    def set(self, name: str, value: Any) -> None:
        text = _text(value)
        ask({"do": self._do, "name": name, "value": text})
        self._known[name] = text

    __setitem__ = set

    def __getitem__(self, name: str) -> str:
        return self._known[name]

    def get(self, name: str, default: Optional[str] = None) -> Optional[str]:
        return self._known.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        return repr(self._known)


outputs = _Named("output")
"""Outputs of this job: `outputs["version"] = "1.2.3"`. Other jobs read them by `{{ outputs.JOB.version }}`."""
vars = _Named("var")
"""Variables of the run: `vars["channel"] = "beta"`."""


def set_output(name: str, value: Any) -> None:
    """Sets an output of this job."""
    outputs.set(name, value)


def set_var(name: str, value: Any) -> None:
    """Sets a variable of the run."""
    vars.set(name, value)


def artifact(name: str, *paths: str) -> None:
    """Keeps files as artifact `name`: paths or globs, below the current directory unless they are absolute.

    They are stored when the job ends; those that a step below (`run_step`) asks for, when that step ends.
    """
    here = os.getcwd()
    ask({"do": "artifact", "name": name, "paths": [os.path.join(here, path) for path in paths]})


def mask(value: str) -> None:
    """Hides `value` in all output from here on. `SlipwayError` of kind `invalid`: it is too short or too common."""
    ask({"do": "mask", "value": value})


def secret(name: str, default: Optional[str] = None) -> str:
    """The value of a secret that the job, or its step, names in `secrets`: from the environment, else from its file.

    It is masked in all output. `SlipwayError` of kind `not_found` when it was not granted and there is no `default`.
    """
    if name in os.environ:
        return os.environ[name]
    path = os.path.join(os.environ.get("SLIPWAY_WORKSPACE", "/job"), "secrets", name)
    try:
        if "/" not in name and name not in ("", ".", ".."):
            with open(path, encoding="utf-8") as file:
                return file.read()
    except OSError:
        pass
    if default is not None:
        return default
    raise SlipwayError(f"this step was not granted a secret `{name}`: add it to `secrets` of the job, and give it to "
                       f"the run by `--secret {name}`", "not_found")


def annotate(message: str, *, level: str = "notice", title: str = "", file: str = "", line: int = 0) -> None:
    """A remark that is shown with the run's end: `level` is `notice`, `warning` or `error`; it fails nothing."""
    ask({"do": "annotate", "level": level, "message": message, "title": title, "file": file, "line": line})


class group:
    """Folds the output in between: `with group("install"): ...`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> group:
        ask({"do": "group", "start": True, "name": self.name})
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        ask({"do": "group", "start": False, "name": self.name})

"""Where a program runs: the run's event and the job's names."""
from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, Optional


class Env:
    """The environment of the job: `env.branch`, `env.sha`, `env.event`, and by name `env["HOME"]`, `env.get("X")`.

    What there is none of is the empty text: a push has no `tag`, a directory that is no checkout no `sha`.
    """

    def __init__(self) -> None:
        self._event: Optional[Dict[str, Any]] = None

    def __getitem__(self, name: str) -> str:
        return os.environ[name]

    def get(self, name: str, default: Optional[str] = None) -> Optional[str]:
        return os.environ.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in os.environ

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)

    @property
    def event_data(self) -> Dict[str, Any]:
        """The whole event, as the file behind $SLIPWAY_EVENT has it."""
        if self._event is None:
            self._event = {}
            path = os.environ.get("SLIPWAY_EVENT")
            if path:
                import json
                try:
                    with open(path, encoding="utf-8") as file:
                        read = json.load(file)
                    self._event = read if isinstance(read, dict) else {}
                except (OSError, ValueError):
                    pass
        return self._event

    def _of_event(self, name: str) -> str:
        value = self.event_data.get(name)
        return value if isinstance(value, str) else ""

    @property
    def event(self) -> str:
        """`push`, `pull_request`, `tag`, `schedule`, `manual` or `api`."""
        return self._of_event("event") or "push"

    @property
    def branch(self) -> str:
        return self._of_event("branch") or os.environ.get("GIT_BRANCH", "")

    @property
    def tag(self) -> str:
        return self._of_event("tag")

    @property
    def sha(self) -> str:
        """The commit that is checked out."""
        return os.environ.get("GIT_COMMIT") or self._of_event("sha") or os.environ.get("SLIPWAY_REVISION", "")

    @property
    def short_sha(self) -> str:
        return self.sha[:7]

    @property
    def actor(self) -> str:
        return self._of_event("actor")

    @property
    def repo(self) -> str:
        return self._of_event("repo")

    @property
    def default_branch(self) -> str:
        return self._of_event("default_branch")

    @property
    def pr(self) -> Dict[str, Any]:
        """Of a pull request: `number`, `title`, `base`, `head`, `fork`. Empty for other events."""
        read = self.event_data.get("pr") or self.event_data.get("pull_request")
        return read if isinstance(read, dict) else {}

    @property
    def pr_number(self) -> Optional[int]:
        number = self.pr.get("number")
        return number if isinstance(number, int) else None

    @property
    def inputs(self) -> Dict[str, Any]:
        read = self.event_data.get("inputs")
        return read if isinstance(read, dict) else {}

    @property
    def run_id(self) -> str:
        return os.environ.get("RUN_ID", "")

    @property
    def workflow(self) -> str:
        return os.environ.get("SLIPWAY_WORKFLOW", "")

    @property
    def job(self) -> str:
        return os.environ.get("SLIPWAY_JOB", "")

    @property
    def step(self) -> str:
        return os.environ.get("SLIPWAY_STEP", "")

    @property
    def attempt(self) -> int:
        text = os.environ.get("SLIPWAY_ATTEMPT", "")
        return int(text) if text.isdigit() else 1

    @property
    def workspace(self) -> str:
        return os.environ.get("SLIPWAY_WORKSPACE", "/job")


env = Env()

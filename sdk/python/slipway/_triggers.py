"""More jobs for the run, and what other jobs of the project do."""
from __future__ import annotations

import os

from ._job import _text
from ._wire import OWNERS_ANSWER, SlipwayError, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Mapping, Optional, Union

# The names of the trigger format for what Job calls by Slipway's words; all others are passed on as they are.
_NAMES = {"name": "job_name", "command": "job_command", "image": "container_image"}


class Job:
    """A job to be asked for by `trigger_job`.

    With `command` (a shell script) it is complete; without, its name is looked up among the project's templates and job
    files. What it does not say comes from the job that asks; secrets and trust never do. `depends_on` names jobs of the
    run (or other jobs of the same `trigger_jobs`), `condition` is `all_success`, `any_failed` or `always`. Any other key
    of the trigger format may be given too (`timeout`, `for_each`, `item_var`, `source_url`, `source_ref`, ...).
    """

    def __init__(self, name: str, env: Optional[Mapping[str, Any]] = None, command: Optional[str] = None,
                 image: Optional[str] = None, depends_on: Optional[Union[str, Iterable[str]]] = None,
                 condition: Optional[str] = None, **more: Any) -> None:
        if not name:
            raise ValueError("a job needs a name")
        self.name = name
        self.env = {key: _text(value) for key, value in (env or {}).items()}
        self.command = command
        self.image = image
        self.depends_on = [depends_on] if isinstance(depends_on, str) else [str(one) for one in depends_on or ()]
        self.condition = condition
        self.more = more

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Job({self.name!r})"

    def to_dict(self) -> Dict[str, Any]:
        """The job as it stands in a trigger."""
        said = {"name": self.name, "command": self.command, "image": self.image, "env": self.env,
                "depends_on": self.depends_on, "condition": self.condition, **self.more}
        return {_NAMES.get(key, key): value for key, value in said.items() if value not in (None, [], {}, "")}


_sent = 0


def _job(job: Union[Job, str, Mapping[str, Any]], how: Mapping[str, Any]) -> Dict[str, Any]:
    if isinstance(job, Job):
        if how:
            raise TypeError("a Job says everything itself")
        return job.to_dict()
    if isinstance(job, str):
        return Job(job, **how).to_dict()
    return {_NAMES.get(key, key): value for key, value in {**job, **how}.items()}


def trigger_jobs(jobs: Iterable[Union[Job, str, Mapping[str, Any]]], *, workflow: Optional[str] = None,
                 vars: Optional[Mapping[str, str]] = None) -> List[str]:
    """Asks for several jobs in one trigger, so that they may depend on each other. Returns their names.

    They become jobs of this run with `slipway run --follow` and on a server; without, `slipway run` prints them as
    next. A job of that name that the run has already makes this one `NAME (2)`.
    """
    global _sent
    import json

    wanted = [_job(job, {}) for job in jobs]
    if not wanted:
        return []
    trigger: Dict[str, Any] = {"type": "trigger_job", "operation_id": os.urandom(16).hex(), "jobs": wanted}
    if workflow or vars:
        trigger["workflow"] = {key: value for key, value in (("name", workflow), ("vars", dict(vars or {}))) if value}
    ask({"do": "trigger", "json": json.dumps(trigger)})
    _sent += len(wanted)
    return [str(job.get("job_name") or job.get("job_file") or "") for job in wanted]


def trigger_job(job: Union[Job, str], **how: Any) -> str:
    """Asks for one more job: a `Job`, or a name with the other arguments of `Job`. Returns its name."""
    return trigger_jobs([_job(job, how)])[0]


def submit_job(job: Union[Job, str], **how: Any) -> str:
    """The same as `trigger_job`: a trigger is on its way as soon as it is asked for."""
    return trigger_job(job, **how)


def flush_triggers() -> int:
    """Nothing waits to be sent: returns how many jobs this program has asked for so far."""
    return _sent


def _state(what: str, key: str, name: Any) -> Dict[str, Any]:
    return ask({"do": "state", "what": what, key: str(name)}, OWNERS_ANSWER)


def is_job_running(job: Union[Job, str]) -> bool:
    """Whether a job of that name is starting or running: in any run of the project, the asking job left out."""
    return bool(_state("is_job_running", "job", job).get("running"))


def check_deploy_in_progress(environment: str) -> bool:
    """Whether a job with `environment: ENVIRONMENT` is starting or running: in any run of the project, the asking job
    left out."""
    return bool(_state("deploy_in_progress", "environment", environment).get("in_progress"))


def get_job_result(job: Union[Job, str]) -> Optional[Dict[str, Any]]:
    """How the newest finished job of that name ended, one of this run first: `{"exit_code", "outcome", "outputs",
    "run", "job"}`. None: there is none."""
    try:
        return _state("job_result", "job", job)
    except SlipwayError as error:
        if error.kind == "not_found":
            return None
        raise


def log_next_job(job: Union[Job, str], reason: str = "") -> None:
    """Tells people what comes next, in the log and with the run's notices, without asking for it."""
    from ._job import annotate
    because = f": {reason}" if reason else ""
    print(f"next job: {job}{because}", flush=True)
    source = os.path.join(os.environ.get("SLIPWAY_WORKSPACE", "/job"), "src")
    for file in (f".slipway/jobs/{job}.yaml", f".reactorcide/jobs/{job}.yaml"):
        if os.path.isfile(os.path.join(source, file)):
            import shlex
            print(f"  slipway run {shlex.quote(file)}", flush=True)
            break
    annotate(f"{job}{because}", title="next job")

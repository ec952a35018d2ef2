"""The workflow functions of runnerlib, by those of Slipway."""
from __future__ import annotations

import os

from slipway import (Job, Plugin, Step, changed_files, check_deploy_in_progress, env, flush_triggers, get_job_result,
                     git_info, is_job_running, log_next_job, mask, parallel, run_step, set_output, set_var, submit_job,
                     trigger_job, trigger_jobs)
from slipway import vars as _vars

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

__all__ = [
    "Job", "Plugin", "Step", "changed_files", "check_deploy_in_progress", "env", "flush_triggers", "get_job_result",
    "git_info", "is_job_running", "log_next_job", "parallel", "register_secret", "run_step", "set_workflow_output",
    "set_workflow_var", "submit_job", "trigger_job", "trigger_jobs", "workflow_vars",
]


def set_workflow_var(name: str, value: Any) -> None:
    """Sets a variable of the run."""
    set_var(name, value)


def set_workflow_output(name: str, value: Any) -> None:
    """Sets an output of this job."""
    set_output(name, value)


def workflow_vars() -> Dict[str, Any]:
    """What was set here, over what the job was started with (RC_WF_VARS_JSON, RC_WF_VARS_FILE)."""
    known: Dict[str, Any] = {}
    text = os.environ.get("RC_WF_VARS_JSON", "")
    path = os.environ.get("RC_WF_VARS_FILE", "")
    if not text and path:
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except OSError:
            text = ""
    if text:
        import json
        try:
            read = json.loads(text)
        except ValueError:
            read = {}
        if isinstance(read, dict):
            known.update(read)
    known.update((name, _vars[name]) for name in _vars)
    return known


def register_secret(value: str) -> None:
    """Hides `value` in all output from here on."""
    mask(value)

"""Pipelines in Python: steps, jobs and what a job says, over the control socket of the step that runs this program.

    from slipway import Job, Step, env, parallel, run_step, trigger_job

    run_step("build", "make -j4", check=True)
    parallel(Step("unit", "make check"), Step("lint", "make lint"), check=True)
    if env.branch == "main":
        trigger_job(Job("deploy", env={"SHA": env.sha}))

In every sandbox the package is there already; it needs nothing but Python 3.9 or newer. Outside of a job its calls raise
`NotInJob`, which says how to run the script in one; importing it does nothing anywhere. docs/python.md tells more.
"""
from __future__ import annotations

from . import git
from ._context import Env, env
from ._job import annotate, artifact, group, mask, outputs, secret, set_output, set_var, vars
from ._steps import Step, StepFailed, parallel, run_step, sandbox
from ._triggers import (Job, check_deploy_in_progress, flush_triggers, get_job_result, is_job_running, log_next_job,
                        submit_job, trigger_job, trigger_jobs)
from ._wire import NotInJob, SlipwayError, is_in_job
from .git import changed_files, git_info
from .plugins import PHASES, Plugin

__version__ = "0.1.0"

__all__ = [
    "Env", "Job", "NotInJob", "PHASES", "Plugin", "SlipwayError", "Step", "StepFailed", "annotate", "artifact",
    "changed_files", "check_deploy_in_progress", "env", "flush_triggers", "get_job_result", "git",
    "git_info", "group", "is_in_job", "is_job_running", "log_next_job", "mask", "outputs", "parallel", "run_step",
    "sandbox", "secret", "set_output", "set_var", "submit_job", "trigger_job", "trigger_jobs", "vars",
]

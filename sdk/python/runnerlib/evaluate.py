"""`runnerlib eval`: which jobs an event would start, by Slipway's planner, as a trigger file.

Not done, because no file can say it here: policies and approvals (a coordinator's), the base's and the head's job code
side by side (`--ci-source-dir` is the one that is read), and workflows whose jobs hang on the outcome of others in ways
that the trigger format has no word for: their condition is left to `depends_on`.
"""
from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile

from .settings import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

_EVENTS = {"push": ("push", ""), "tag_created": ("tag", ""), "pull_request_opened": ("pull_request", "opened"),
           "pull_request_updated": ("pull_request", "updated"), "pull_request_merged": ("pull_request", "merged"),
           "pull_request_closed": ("pull_request", "closed")}
_TEXTS = ("branch", "pr-base-ref", "diff-base", "pr-number", "source-url", "source-ref", "ci-source-url",
          "ci-source-ref", "head-url", "head-ref", "base-url", "base-ref", "is-fork-pr")
_ENVIRONMENT = {"source-ref": "REACTORCIDE_SHA"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ci-source-dir", default=os.environ.get("REACTORCIDE_CI_SOURCE_DIR", "/job/ci"))
    parser.add_argument("--source-dir", default="/job/src")
    parser.add_argument("--event-type", default=os.environ.get("REACTORCIDE_EVENT_TYPE"))
    for name in _TEXTS:
        variable = _ENVIRONMENT.get(name, "REACTORCIDE_" + name.upper().replace("-", "_"))
        how: Dict[str, Any] = {"nargs": "?", "const": "true"} if name == "is-fork-pr" else {}
        parser.add_argument("--" + name, default=os.environ.get(variable, ""), **how)
    parser.add_argument("--triggers-file", default=os.environ.get("REACTORCIDE_TRIGGERS_FILE") or "/job/triggers.json")
    parser.add_argument("--workflow-file", default="")
    parser.add_argument("--changed-file", action="append", default=[])
    parser.add_argument("--allow-insecure-transport", action="store_true", help="accepted: nothing is sent from here")


def event_of(asked: argparse.Namespace) -> Dict[str, Any]:
    if asked.event_type not in _EVENTS:
        raise Wrong(f"--event-type is one of {', '.join(_EVENTS)}")
    kind, action = _EVENTS[asked.event_type]
    event: Dict[str, Any] = {"event": kind}
    if kind == "tag":
        event["tag"] = asked.branch
    elif asked.branch:
        event["branch"] = asked.branch
    if asked.source_ref:
        event["sha"] = asked.source_ref
    if kind == "pull_request":
        event["action"] = action
        event["pr"] = {"number": int(asked.pr_number) if asked.pr_number.isdigit() else 0,
                       "base": asked.pr_base_ref or asked.base_ref, "head": asked.head_ref or asked.branch,
                       "fork": asked.is_fork_pr.lower() in ("true", "1", "yes")}
    if asked.changed_file:
        event["changed_files"] = asked.changed_file
    return event


def run(asked: argparse.Namespace) -> int:
    from .cli import slipway_program
    top = asked.ci_source_dir if os.path.isdir(asked.ci_source_dir) else asked.source_dir
    if not os.path.isdir(top):
        raise Wrong(f"neither {asked.ci_source_dir} nor {asked.source_dir} is there")
    event = event_of(asked)
    with tempfile.TemporaryDirectory(prefix="runnerlib-") as directory:
        path = os.path.join(directory, "event.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(event, file)
        words = [slipway_program(), "plan", "--json", "--event-file", path]
        if asked.diff_base:
            words += ["--base", asked.diff_base]
        if asked.workflow_file:
            words.append(asked.workflow_file)
        plan = _ask(words, top)
        resolved = {(job["workflow"], job["job"]): job for job in _ask([*words, "--resolved"], top)}
    workflows = []
    for workflow in plan["workflows"]:
        if not workflow["starts"]:
            continue
        jobs = [_job(job, resolved[workflow["workflow"], job["name"]]) for job in workflow["jobs"]
                if job["runs"] is not False and (workflow["workflow"], job["name"]) in resolved]
        workflows.append({"id": workflow["workflow"], "name": workflow["workflow"], "source_file": workflow["file"],
                          "vars": {}, "jobs": jobs})
        for job in jobs:
            print(f"{workflow['workflow']}: {job['job_name']}")
    trigger = {"type": "trigger_job", "operation_id": os.urandom(16).hex(), "trigger_type": "runnerlib_eval",
               "workflows": workflows}
    try:
        with open(asked.triggers_file, "w", encoding="utf-8") as file:
            json.dump(trigger, file, indent=2)
    except OSError as error:
        raise Wrong(f"--triggers-file: {error}") from None
    return 0


def _job(planned: Dict[str, Any], spec: Dict[str, Any]) -> Dict[str, Any]:
    scripts = [step.get("script") or shlex.join(step.get("argv", [])) for step in spec["steps"]]
    job = {"job_name": planned["name"], "job_command": "\n".join(scripts), "container_image": spec["image"],
           "depends_on": planned["depends_on"], "env": dict(spec["env"]), "timeout": spec["timeout"] // 1_000_000}
    return {key: value for key, value in job.items() if value not in ("", [], {})}


def _ask(words: List[str], cwd: str) -> Any:
    done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.stdout.write(done.stdout)
        raise Wrong(f"slipway plan refused what it found in {cwd}")
    return json.loads(done.stdout)

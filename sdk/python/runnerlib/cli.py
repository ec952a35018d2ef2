"""`python -m runnerlib.cli` and `runnerlib`: the commands and flags of runnerlib, carried out by `slipway`.

Exit codes: the job's own; 1 for a configuration that is wrong or a run that Slipway refused; 143 when it was ended by
SIGTERM. Values of secrets go through files that only this user can read, never through a command line.
"""
from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from .events import Printer, complain
from .settings import VALUE_WITHOUT_NAME, Settings, Wrong, add_settings, read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

_TERMINATED = 143


def slipway_program() -> str:
    """$SLIPWAY_PROGRAM, else `slipway` of the PATH."""
    program = os.environ.get("SLIPWAY_PROGRAM") or shutil.which("slipway")
    if not program:
        raise Wrong("the program `slipway` is not on the PATH (SLIPWAY_PROGRAM may name it)")
    return program


def run_slipway(words: List[str], *, cwd: Optional[str] = None) -> int:
    """Runs `slipway WORDS --json`, prints what its jobs print, and returns the exit code that runnerlib would."""
    if "--dry-run" in words:  # nothing runs: what it says is for people
        return 1 if subprocess.call([slipway_program(), *words, "--no-input"], cwd=cwd, stdin=subprocess.DEVNULL) else 0
    process: Optional[subprocess.Popen[str]] = None
    ended_by: List[int] = []
    early: List[int] = []  # came before there was somebody to pass them on to

    def pass_on(number: int, _frame: Any) -> None:
        ended_by.append(number)
        if process is None:
            early.append(number)
        else:
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    printer = Printer()
    try:
        process = subprocess.Popen([slipway_program(), *words, "--json", "--no-input"], cwd=cwd, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace")
        for number in early:
            process.send_signal(number)
        assert process.stdout is not None
        for line in process.stdout:
            printer.take(line)
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signal.SIGTERM in ended_by:
        return _TERMINATED
    if ended_by:
        return 128 + ended_by[0]
    return printer.exit_code(code)


# --- run, run-job, validate, config ---

def job_file(settings: Settings) -> Dict[str, Any]:
    """The flat job file that says what `settings` do."""
    job: Dict[str, Any] = {"name": "runnerlib", "job_command": settings.job_command, "job_env": settings.job_env,
                           "code_dir": settings.code_dir, "job_dir": settings.job_dir}
    if settings.runner_image:
        job["image"] = settings.runner_image
    job["secrets"] = [{"name": name, "value": value} for name, value in settings.secrets.items()]
    if settings.source_type == "none":
        job["source"] = {"type": "none"}
    elif settings.source_url:
        source = {"type": settings.source_type, "url": settings.source_url, "ref": settings.source_ref}
        job["source"] = {key: value for key, value in source.items() if value and value != "copy"}
    if settings.ci_source_url:
        job["ci_code"] = {key: value for key, value in (("url", settings.ci_source_url),
                                                        ("ref", settings.ci_source_ref)) if value}
    return {key: value for key, value in job.items() if value not in ("", {}, [])}


def run_workflow(asked: argparse.Namespace, settings: Settings) -> int:
    """A workflow of a file, or one job of it, with what the settings say on top."""
    settings.check(needs_command=False)
    if settings.job_command:
        raise Wrong("--workflow-file says what to run, and so does --job-command: give one of them")
    if any(name.startswith(VALUE_WITHOUT_NAME) for name in settings.secrets):
        raise Wrong("--secret-values-list: a workflow takes secrets by name; name them in --secret-env-names")
    if not os.path.exists(asked.workflow_file):
        raise Wrong(f"--workflow-file: {asked.workflow_file} is not there")
    words = ["-C", os.path.abspath(settings.work_dir), "run", os.path.abspath(asked.workflow_file)]
    given = (("--job", asked.job or ""), ("--image", settings.runner_image), ("--source-url", settings.source_url),
             ("--source-ref", settings.source_ref if settings.source_url else ""),
             ("--secret-file", os.path.abspath(settings.secrets_file) if settings.secrets_file else ""))
    for flag, value in given:
        words += [flag, value] if value else []
    for name, value in settings.job_env.items():
        words += [] if name in settings.secrets else ["--env", f"{name}={value}"]
    if asked.dry_run:
        words.append("--dry-run")
    with tempfile.TemporaryDirectory(prefix="runnerlib-") as directory:
        if settings.secrets:
            path = os.path.join(directory, "secrets.json")
            write_private(path, settings.secrets)
            words += ["--secret-file", path]
        return run_slipway(words)


def write_private(path: str, what: Dict[str, Any]) -> None:
    """A file that nobody else can read: secrets may stand in it."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(what, file)


def run(asked: argparse.Namespace) -> int:
    settings = read_settings(asked)
    if asked.workflow_file:
        return run_workflow(asked, settings)
    if asked.job:
        raise Wrong("--job is of a workflow: it needs --workflow-file")
    settings.check()
    with tempfile.TemporaryDirectory(prefix="runnerlib-") as directory:
        path = os.path.join(directory, "job.yaml")
        write_private(path, job_file(settings))
        words = ["run-job", path, "--work-dir", os.path.abspath(settings.work_dir)]
        if settings.secrets_file:
            words += ["--secrets-file", settings.secrets_file]
        if asked.dry_run:
            words.append("--dry-run")
        return run_slipway(words)


def run_job(asked: argparse.Namespace) -> int:
    words = ["run-job", asked.file]
    for flag, value in (("--secrets-file", asked.secrets_file), ("--work-dir", asked.work_dir)):
        words += [flag, value] if value else []
    return run_slipway([*words, "--dry-run"] if asked.dry_run else words)


def validate(asked: argparse.Namespace) -> int:
    settings = read_settings(asked)
    settings.check(files=asked.check_files)
    print("the configuration is valid")
    return 0


def config(asked: argparse.Namespace) -> int:
    print(json.dumps(read_settings(asked).shown(), indent=2, sort_keys=True))
    return 0


# --- the source, by hand ---

def _source_of(work_dir: str) -> str:
    return os.path.join(os.path.abspath(work_dir), "job", "src")


def _git(*words: str, cwd: str) -> bool:
    return subprocess.run(["git", "-c", "protocol.ext.allow=never", *words], cwd=cwd, stdin=subprocess.DEVNULL,
                          check=False).returncode == 0


def checkout(asked: argparse.Namespace) -> int:
    """The reference itself, else as a commit, a pull or merge request, or one that only a branch holds."""
    target = _source_of(asked.work_dir)
    if asked.git_url.startswith("-") or (asked.ref or "").startswith("-"):
        raise Wrong("a URL or reference that begins with `-`")
    if os.path.isdir(target) and os.listdir(target):
        raise Wrong(f"{target} is not empty: `runnerlib cleanup` removes it")
    os.makedirs(target, exist_ok=True)
    ref = asked.ref or "HEAD"
    if not (_git("init", "-q", cwd=target) and _git("remote", "add", "origin", asked.git_url, cwd=target)):
        return 1
    tries = [ref, f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/pull/{ref}/head", f"refs/merge-requests/{ref}/head"]
    for wanted in tries:
        with open(os.devnull, "w") as nothing:
            got = subprocess.run(["git", "fetch", "-q", "origin", wanted], cwd=target, stdin=subprocess.DEVNULL,
                                 stderr=nothing, check=False).returncode == 0
        if got:
            done = _git("checkout", "-q", "--detach", "FETCH_HEAD", cwd=target) and _add_upstream(asked, target)
            return 0 if done else 1
    if _git("fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*", cwd=target) and \
            _git("checkout", "-q", "--detach", ref, cwd=target):
        return 0 if _add_upstream(asked, target) else 1
    raise Wrong(f"{asked.git_url} has no `{ref}`")


def _add_upstream(asked: argparse.Namespace, target: str) -> bool:
    """Of a fork's pull request: what it is to be merged into."""
    base, ref = os.environ.get("REACTORCIDE_BASE_URL", ""), os.environ.get("REACTORCIDE_BASE_REF", "")
    if not base or base == asked.git_url:
        return True
    if base.startswith("-") or ref.startswith("-"):
        raise Wrong("REACTORCIDE_BASE_URL or REACTORCIDE_BASE_REF begins with `-`")
    return _git("remote", "add", "upstream", base, cwd=target) and \
        (not ref or _git("fetch", "-q", "upstream", f"+{ref}:refs/remotes/upstream/{ref}", cwd=target))


def copy(asked: argparse.Namespace) -> int:
    if not os.path.isdir(asked.directory):
        raise Wrong(f"{asked.directory} is no directory")
    shutil.copytree(asked.directory, _source_of(asked.work_dir), symlinks=True, dirs_exist_ok=True,
                    ignore=lambda at, _names: ["job"] if os.path.samefile(at, asked.work_dir) else [])
    return 0


def cleanup(asked: argparse.Namespace) -> int:
    made = os.path.join(os.path.abspath(asked.work_dir), "job")
    if asked.verbose:
        print(f"removing {made}" if os.path.isdir(made) else f"{made} is not there")
    if os.path.isdir(made) and not os.path.islink(made):
        shutil.rmtree(made)
    return 0


# --- what a job asks for ---

def trigger(asked: argparse.Namespace) -> int:
    from slipway import trigger_jobs
    jobs: List[Any] = []
    files = list(asked.job_files)
    if asked.triggers_file:
        files.append(asked.triggers_file)
    if not files:
        raise Wrong("trigger takes job files, or --triggers-file")
    for path in files:
        if path.endswith(".json"):
            try:
                with open(path, encoding="utf-8") as file:
                    read = json.load(file)
            except (OSError, ValueError) as error:
                raise Wrong(f"{path}: {error}") from None
            jobs += read.get("jobs", [read]) if isinstance(read, dict) else read
        else:  # a file of the project: looked up by its name
            jobs.append({"job_name": os.path.splitext(os.path.basename(path))[0], "job_file": path})
    for name in trigger_jobs(jobs):
        print(f"asked for {name}")
    if asked.triggers_file:
        os.unlink(asked.triggers_file)
    return 0


def git(asked: argparse.Namespace) -> int:
    import slipway
    if asked.what == "info":
        print(json.dumps(slipway.git_info(), indent=2, sort_keys=True))
    else:
        for file in slipway.changed_files(asked.ref):
            print(file)
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="runnerlib", description="the commands of runnerlib, carried out by slipway")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, does: Any, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(does=does)
        return made

    one = add("run", run, "run one command as a job")
    add_settings(one)
    one.add_argument("--workflow-file", metavar="FILE", help="a workflow to run, in the place of a command")
    one.add_argument("--job", metavar="NAME", help="with --workflow-file: only this job and what it depends on")
    one.add_argument("--dry-run", action="store_true", help="show what would run")
    one.add_argument("--container", action="store_true", help="accepted: a job always has a sandbox of its own")
    one.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="put behind the job's command")
    one = add("run-job", run_job, "run a job file")
    one.add_argument("file", metavar="FILE")
    one.add_argument("--secrets-file")
    one.add_argument("--work-dir")
    one.add_argument("--dry-run", action="store_true")
    one = add("validate", validate, "check the configuration")
    add_settings(one)
    one.add_argument("--check-files", action=argparse.BooleanOptionalAction, default=True)
    add_settings(add("config", config, "print the configuration"))
    one = add("checkout", checkout, "check a repository out to job/src")
    one.add_argument("git_url", metavar="GIT_URL")
    one.add_argument("-r", "--ref")
    one.add_argument("--work-dir", default=".")
    one = add("copy", copy, "copy a directory to job/src")
    one.add_argument("directory", metavar="DIR")
    one.add_argument("--work-dir", default=".")
    one = add("cleanup", cleanup, "remove the directory job")
    one.add_argument("-v", "--verbose", action="store_true")
    one.add_argument("--work-dir", default=".")
    one = add("trigger", trigger, "ask for more jobs, in a job")
    one.add_argument("job_files", nargs="*", metavar="JOB_FILE")
    one.add_argument("--triggers-file")
    one = add("git", git, "what changed, in a job")
    what = one.add_subparsers(dest="what", required=True)
    what.add_parser("files-changed").add_argument("ref", metavar="REF")
    what.add_parser("info")
    from . import evaluate
    evaluate.add_arguments(add("eval", evaluate.run, "which jobs an event would start, as a trigger file"))
    return top


def main(arguments: Optional[List[str]] = None) -> int:
    from slipway import SlipwayError
    try:
        asked = parser().parse_args(arguments)
    except SystemExit as end:  # argparse's 2 for a wrong command line is 1 here
        return 1 if end.code else 0
    try:
        return int(asked.does(asked))
    except (Wrong, SlipwayError) as error:
        complain(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())

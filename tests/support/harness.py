"""Drives `slipway` as a user or a program does: arguments in, exit code, text and JSON out."""
from __future__ import annotations

import functools
import json
import os
import re
import signal
import subprocess
import tempfile
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("SLIPWAY_BUILD", ROOT / "build")).resolve()
BACKENDS = ["native", "docker"]  # for tests that hold on both
TIMEOUT = 60  # seconds: no single command of a test needs more


def wait_until(holds, seconds: float = 10, every: float = 0.01, what: str = "it"):
    """The value of `holds()` once it is true. The only waiting there is: on a condition, with an end."""
    end = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(every)


class Project:
    """A git repository with a workflow or two."""

    def __init__(self, path: Path, git: bool = True, image: str = "host"):
        self.path, self.image = path, image
        path.mkdir(parents=True)
        if git:
            self.git("init", "-q", "-b", "main")
            self.git("config", "user.name", "tester")
            self.git("config", "user.email", "tester@localhost")

    def git(self, *arguments: str) -> str:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {"GIT_CONFIG_GLOBAL": "/dev/null"}
        done = subprocess.run(["git", "-C", str(self.path), *arguments], env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, name: str, text: str | bytes = "") -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return path

    def workflow(self, text: str, name: str = "ci") -> str:
        """Writes .slipway/workflows/NAME.yaml; gives the path as it is given to slipway."""
        file = f".slipway/workflows/{name}.yaml"
        self.write(file, text)
        return file

    def job(self, *, run: str | None = None, steps: list[tuple[str, str]] | None = None, name: str = "job", keys: dict | None = None) -> str:
        """A workflow of one job in the project's image without a network, written as JSON (which is YAML)."""
        job: dict = {"name": name, "image": self.image, "network": "none", "timeout": "50s", **(keys or {})}
        if run is not None:
            job["run"] = textwrap.dedent(run)
        if steps is not None:
            job["steps"] = [{"name": n, "run": textwrap.dedent(r)} for n, r in steps]
        return self.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [job]}}, indent=2))

    def commit(self, message: str = "commit") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def snapshot(self) -> dict[str, tuple]:
        """Every path with what a write would change (the content, not only the time)."""
        found = {}
        for path in sorted(self.path.rglob("*")):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
            found[str(path.relative_to(self.path))] = (status.st_mode, status.st_uid, status.st_mtime_ns, content)
        return found


@dataclass
class Ran:
    """One finished `slipway` command."""

    argv: list[str]
    code: int
    out: str
    err: str
    events: list[dict] = field(default_factory=list)

    def __str__(self) -> str:
        return f"$ slipway {' '.join(self.argv)}\n[exit {self.code}]\n--- stdout\n{self.out[-6000:]}\n--- stderr\n{self.err[-4000:]}"

    def expect(self, code: int) -> Ran:
        assert self.code == code, f"expected exit code {code}\n{self}"
        return self

    # --- of `run --json` ---
    def of(self, kind: str) -> list[dict]:
        return [event for event in self.events if event["type"] == kind]

    @property
    def finished(self) -> dict:
        assert self.events and self.events[-1]["type"] == "run_finished", f"the last line is not run_finished\n{self}"
        return self.events[-1]

    def job(self, name: str) -> dict:
        jobs = {job["name"]: job for job in self.finished["jobs"]}
        assert name in jobs, f"no job {name!r}, there are {sorted(jobs)}\n{self}"
        return jobs[name]

    def step(self, name: str, job: str = "job") -> dict:
        steps = {step["name"]: step for step in self.job(job)["steps"]}
        assert name in steps, f"no step {name!r} in {job!r}, there are {sorted(steps)}\n{self}"
        return steps[name]

    def outcomes(self) -> dict[str, str]:
        return {job["name"]: job["outcome"] for job in self.finished["jobs"]}

    def output(self, job: str | None = None, step: str | None = None) -> str:
        """What the job's steps printed, both streams, a newline behind each line."""
        wanted = (e for e in self.of("output") if job in (None, e.get("job")) and step in (None, e.get("step")))
        return "".join(event["text"] + "\n" for event in wanted)


def parse_events(text: str) -> list[dict]:
    events = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            event = json.loads(line)
        except json.JSONDecodeError as error:
            raise AssertionError(f"line {number} of --json is not JSON ({error}): {line[:300]!r}") from None
        assert isinstance(event, dict) and "type" in event, f"line {number} has no type: {line[:300]!r}"
        events.append(event)
    return events


class Running:
    """A `slipway` that is still going, in a process group of its own, with its events as they come."""

    def __init__(self, process: subprocess.Popen, argv: list[str], log: Path):
        self.process, self.argv, self.log = process, argv, log

    @property
    def pid(self) -> int:
        return self.process.pid

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern: str, seconds: float = 20) -> re.Match:
        """Until what it printed so far matches."""

        def seen():
            match = re.search(pattern, self.text())
            assert match or self.process.poll() is None, f"slipway ended before {pattern!r}\n{self.ended()}"
            return match

        return wait_until(seen, seconds, what=f"{pattern!r} in the output of slipway {' '.join(self.argv)}")

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def ended(self, seconds: float = 30) -> Ran:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"slipway {' '.join(self.argv)} still runs after {seconds} s\n{self.text()[-4000:]}") from None
        out = self.text()
        events = parse_events(out) if "--json" in self.argv and self.process.returncode >= 0 else []
        return Ran(self.argv, self.process.returncode, out, self.log.with_suffix(".err").read_text(errors="replace"), events)


class Slipway:
    def __init__(self, home: Path, state: Path, project: Project, command: list[str] | None = None):
        """`command`: what starts slipway; else the built program."""
        self.home, self.state, self.project = home, state, project
        self.daemon = None  # docker.Daemon, where that runs the jobs
        self.command = command or [str(BUILD / "slipway")]
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "dumb",
            "XDG_STATE_HOME": str(home / "xdg-state"), "XDG_CONFIG_HOME": str(home / "xdg-config"),
            "XDG_CACHE_HOME": str(home / "xdg-cache"), "SLIPWAY_CONFIG_STATE_DIR": str(state),
        }
        if "XDG_RUNTIME_DIR" in os.environ:
            self.environment["XDG_RUNTIME_DIR"] = os.environ["XDG_RUNTIME_DIR"]
        self._running: list[Running] = []

    def __enter__(self) -> Slipway:
        return self

    def __exit__(self, *_) -> None:
        for running in self._running:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()

    def __call__(self, *arguments: str, env: dict | None = None, stdin: str | None = None, cwd: Path | None = None, timeout: float = TIMEOUT) -> Ran:
        argv = [str(argument) for argument in arguments]
        done = subprocess.run([*self.command, *argv], env=self.environment | (env or {}), cwd=cwd or self.project.path,
                              input=stdin.encode() if stdin is not None else None, stdin=subprocess.DEVNULL if stdin is None else None,
                              capture_output=True, timeout=timeout)
        return Ran(argv, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def run(self, *arguments: str, **options) -> Ran:
        """`slipway run --json`, its events parsed. Whatever the exit code, the last line has to be run_finished."""
        ran = self("run", "--json", *arguments, **options)
        ran.events = parse_events(ran.out)
        return ran

    def start(self, *arguments: str, env: dict | None = None, cwd: Path | None = None) -> Running:
        argv = [str(argument) for argument in arguments]
        log = self.home / f"run-{len(self._running)}.out"
        with open(log, "wb") as out, open(log.with_suffix(".err"), "wb") as err:
            process = subprocess.Popen([*self.command, *argv], env=self.environment | (env or {}), cwd=cwd or self.project.path,
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        self._running.append(Running(process, argv, log))
        return self._running[-1]

    def config(self, text: str) -> None:
        """The operator's configuration."""
        path = self.home / "xdg-config" / "slipway" / "config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


# --- what a run may leave behind on the machine ---

def processes(marker: str) -> list[int]:
    """Live processes whose command line or environment has `marker` in it (ours excluded)."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if "State:\tZ" in (entry / "status").read_text():
                continue
            if marker.encode() in (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found


def everything(slipway: Slipway, running: Running) -> list[int]:
    """Every live process of it and of its sandboxes."""
    return [running.pid, *descendants(running.pid), *(slipway.daemon.processes() if slipway.daemon else [])]


def descendants(pid: int) -> list[int]:
    """Every live process below `pid`."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def is_alive(pid: int) -> bool:
    """It runs, or could: no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def mounts_below(path: Path) -> list[str]:
    """Mounts that this mount namespace has at or below `path`."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if line.split()[4].startswith(str(path))]


def cgroups() -> set[str]:
    """Cgroups that are Slipway's."""
    found = set()
    for directory, names, _ in os.walk("/sys/fs/cgroup"):
        found |= {os.path.join(directory, name) for name in names if "slipway" in os.path.join(directory, name)}
    return found


def sandbox_directories(state: Path) -> list[str]:
    directory = state / "sandboxes"
    return sorted(p.name for p in directory.iterdir()) if directory.is_dir() else []


def expect_nothing_after_kill_9(slipway: Slipway, running: Running, below: set[int], known: set[str]) -> None:
    """`below`: the processes under `running`; `known`: the cgroups that were there before."""
    running.signal(SIGKILL)
    running.process.wait()
    wait_until(lambda: not [pid for pid in below if is_alive(pid)], 2, what="the end of every process")
    assert not mounts_below(slipway.state / "sandboxes")
    # At the next start, no directory and no cgroup of the dead one.
    slipway.run(slipway.project.job(run="true")).expect(0)
    assert sandbox_directories(slipway.state) == []
    wait_until(lambda: not (cgroups() - known), 5, what="the removal of cgroups")


@functools.cache
def doctor() -> dict[str, dict]:
    """What `slipway doctor` says of this machine, by name."""
    with tempfile.TemporaryDirectory() as state:
        done = subprocess.run([str(BUILD / "slipway"), "doctor", "--json", "--state-dir", state], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=TIMEOUT)
        return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def not_held(name: str) -> str | None:
    """Why the check `name` (`limit: memory`, `network: nat`) cannot be relied on here, or None."""
    check = doctor()[name]
    return None if check["health"] == "good" else f"{name}: {check['detail']} (slipway doctor)"


def nat_missing() -> str | None:
    """Why `network: nat` cannot be had here, or None. A user's needs a way out that pasta can copy: a sandbox of `network: none` has none."""
    if os.geteuid() != 0 and len(Path("/proc/net/route").read_text().splitlines()) < 2:
        return "network: nat: this machine has no route out"
    return not_held("network: nat")


SIGINT, SIGTERM, SIGKILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL

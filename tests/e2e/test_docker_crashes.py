"""`kill -9` of slipway, of slipway-init and of the Docker daemon at seeded moments: nothing is left, and what was recorded can be read.

SLIPWAY_CRASHES says how many in all (README.md), SLIPWAY_SEED where the moments come from.
"""
import json
import os
import random
import socket
import threading
import time

import docker
import pytest
from harness import SIGKILL, Project, mounts_below, sandbox_directories, wait_until

pytestmark = pytest.mark.skipif(docker.missing() is not None, reason=docker.missing() or "")
SEED = int(os.environ.get("SLIPWAY_SEED", "4711"))
CRASHES = int(os.environ.get("SLIPWAY_CRASHES", "30"))
SHARES = {"slipway": 0.45, "init": 0.35, "dockerd": 0.2}
LINES = "i=0; while [ $i -lt 25 ]; do echo line $i; sleep 0.02; i=$((i+1)); done"


@pytest.fixture
def slipway(daemon, tmp_path):
    with daemon.command(tmp_path, tmp_path / "state", Project(tmp_path / "project", image=docker.IMAGE)) as command:
        yield command


def workflow(project, with_service: bool) -> str:
    one = {"name": "job", "image": docker.IMAGE, "network": "none", "retry": {"attempts": 0}, "run": LINES}
    if with_service:
        one["services"] = [{"name": "db", "image": docker.IMAGE, "command": ["sh", "-c", "echo up; sleep 50"], "ready": {"log": "up"}}]
    return project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [one]}}))


def kill(victim: str, daemon, running) -> None:
    if victim == "slipway":
        running.signal(SIGKILL)
        running.process.wait()
    elif victim == "dockerd":
        daemon.kill()
    else:
        for pid in daemon.first_processes():
            try:
                os.kill(pid, SIGKILL)
            except ProcessLookupError:
                pass


def check_end(victim: str, running, began: float) -> None:
    """Of a slipway that lives on: it ends at once, and says why."""
    if victim == "slipway":
        return
    ran = running.ended(20)
    assert time.monotonic() - began < 10
    if victim == "dockerd" and ran.code == 5 and not ran.of("run_started"):
        return  # it had not come to begin
    [job] = ran.finished["jobs"]
    expected = {"init": ("succeeded", "infra_failed", "failed"), "dockerd": ("succeeded", "infra_failed")}[victim]
    assert job["outcome"] in expected, ran
    if job["outcome"] == "failed":  # its service's init was killed
        assert "service `db`" in ran.of("job_finished")[-1]["reason"], ran


def check_journal(slipway, running) -> None:
    """All lines that were seen live are in the record, with those before them; and it can be read to its end."""
    events = [json.loads(line) for line in running.text().splitlines() if line.endswith("}")]
    if not any(event["type"] == "step_started" for event in events):
        return
    seen = [event["text"] for event in events if event["type"] == "output"]
    read = [json.loads(line) for line in slipway("logs", events[0]["run"], "--json").expect(0).out.splitlines()]
    lines = [event["text"] for event in read if event["type"] == "output"]
    assert lines == [f"line {i}" for i in range(len(lines))] and lines[:len(seen)] == seen, (seen, read)


class SlowDaemon:
    """Passes on to the daemon what it is asked, a request for a container only some time after it came, whatever became of who asked."""

    def __init__(self, daemon, seconds: float):
        self.daemon, self.seconds = daemon, seconds
        self.path = str(daemon.root / "slow.sock")
        self.asked = threading.Event()
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            there = socket.socket(socket.AF_UNIX)
            there.connect(self.daemon.socket)
            for ours, theirs, holds in ((client, there, True), (there, client, False)):
                threading.Thread(target=self.pass_on, args=(ours, theirs, holds), daemon=True).start()

    def pass_on(self, ours, theirs, holds: bool):
        try:
            while data := ours.recv(1 << 16):
                if holds and b"/containers/create?" in data:
                    self.asked.set()
                    time.sleep(self.seconds)  # what is tested
                theirs.sendall(data)
            if not holds:
                theirs.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()
        os.unlink(self.path)


def test_a_container_that_comes_after_the_end_of_who_asked_for_it_is_swept(slipway, daemon):
    with SlowDaemon(daemon, 1.5) as slow:
        running = slipway.start("run", "--json", slipway.project.job(run="true"), env={"DOCKER_HOST": f"unix://{slow.path}"})
        assert slow.asked.wait(10)
        running.signal(SIGKILL)
        running.process.wait()
        assert not daemon.containers() and len(sandbox_directories(slipway.state)) == 1
        assert slipway.run(slipway.project.job(run="echo next")).expect(0).output() == "next\n"
    assert not daemon.containers() and sandbox_directories(slipway.state) == []


@pytest.mark.parametrize("victim", SHARES)
def test_killed_at_any_moment_it_leaves_nothing(slipway, daemon, victim):
    moments = random.Random(f"{SEED} {victim}")
    for number in range(max(1, round(CRASHES * SHARES[victim]))):
        # As often while it starts as all the time after.
        after, with_service = moments.uniform(0, moments.choice([0.3, 1.5])), moments.random() < 0.4
        where = f"{victim} killed after {after:.3f} s{' with a service' if with_service else ''}: crash {number} of seed {SEED}"
        running = slipway.start("run", "--json", workflow(slipway.project, with_service))
        time.sleep(after)  # the moment is what is tested
        try:
            began = time.monotonic()
            kill(victim, daemon, running)
            check_end(victim, running, began)
            if victim == "dockerd":
                daemon.start()
            # One that was made and not begun is all that may wait for the next start.
            wait_until(lambda: not daemon.first_processes(), 10, what="the end of every process")
            check_journal(slipway, running)
            next_run = slipway.run(slipway.project.job(run="echo next")).expect(0)
            assert next_run.output() == "next\n"
            left = [(c["Names"], c["Status"]) for c in daemon.containers() if c["Labels"].get("slipway.state") == str(slipway.state.resolve())]
            assert not left, left
            assert sandbox_directories(slipway.state) == [] and not mounts_below(slipway.state)
        except AssertionError as error:
            raise AssertionError(where) from error
        finally:
            if daemon.process.poll() is not None:
                daemon.start()

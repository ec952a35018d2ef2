"""What keeps the state directory from growing for ever, and what it keeps of a run."""
import json
import os
import sqlite3
import subprocess

import pytest
from harness import Project

SIZE = 100_000


def storing(slipway, **more):
    """A workflow whose job stores an artifact that no other run has."""
    job = {"name": "job", "image": "host", "network": "none", "run": f"head -c {SIZE} /dev/urandom >out",
           "artifacts": [{"name": "out", "paths": ["out"], **more}]}
    return slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [job]}}))


def objects(slipway):
    return sorted((slipway.state / "objects").glob("??/*"))


def a_day_later(slipway):
    os.utime(slipway.state / "upkeep.stamp", (0, 0))


def listed(slipway, *arguments):
    return [json.loads(line)["run"] for line in slipway("runs", "ls", "--json", *arguments).expect(0).out.splitlines()]


def test_a_removed_run_frees_its_artifacts_and_says_how_much(alone):
    file = storing(alone)
    first, second = (alone.run(file).expect(0).finished["run"] for _ in range(2))
    assert len(objects(alone)) == 2
    ran = alone("runs", "rm", first, "--yes").expect(0)
    freed = ran.out.split(", ")[1].split()
    assert freed[1] == "KiB" and float(freed[0]) > SIZE / 1024 and freed[2] == "freed.", ran
    assert len(objects(alone)) == 1
    alone("runs", "artifacts", second, "out", "-o", alone.home / "got").expect(0)


def test_expired_artifacts_and_old_runs_go_once_a_day(alone):
    file = storing(alone, expires="30d")
    first = alone.run(file).expect(0).finished["run"]
    [record] = (alone.state / "runs" / first / "artifacts").glob("*.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"expires": 1}))
    second = alone.run(file).expect(0).finished["run"]
    assert len(objects(alone)) == 2, "not on every run"
    a_day_later(alone)
    third = alone.run(file).expect(0).finished["run"]
    assert not record.exists() and len(objects(alone)) == 2
    assert listed(alone) == [third, second, first]

    alone.config("history: {runs: 2}")
    a_day_later(alone)
    fourth = alone.run(file).expect(0).finished["run"]
    assert listed(alone) == [fourth, third]
    assert not (alone.state / "runs" / second).exists() and len(objects(alone)) == 2


def test_upkeep_takes_nothing_from_a_run_of_another_process(alone):
    file = alone.project.workflow(json.dumps({"workflow": {"name": "live", "defaults": {"image": "host", "network": "none"}, "jobs": [
        {"name": "make", "run": "echo precious >out", "artifacts": [{"name": "out", "paths": ["out"]}]},
        {"name": "hold", "depends_on": ["make"], "run": "echo held; sleep 3"},
        {"name": "use", "depends_on": ["hold"], "uses_artifacts": ["out"],
         "condition": "always", "run": "cat /job/inputs/out/out"}]}}), name="live")
    running = alone.start("run", "--json", file)
    running.wait_for('"text":"held"')
    alone.run(storing(alone)).expect(0)
    a_day_later(alone)
    alone.config("history: {runs: 1}")
    alone.run(storing(alone)).expect(0)
    alone("runs", "rm", "--all", "--yes").expect(0)
    assert running.ended().expect(0).output("use") == "precious\n"


def test_runs_of_other_projects_are_named_only_when_asked(alone, tmp_path):
    here = alone.run(alone.project.job(run="true")).expect(0).finished["run"]
    other = Project(tmp_path / "other")
    other.job(run="true")
    there = alone.run(".slipway/workflows/ci.yaml", cwd=other.path).expect(0).finished["run"]
    assert listed(alone) == [here] and listed(alone, "--all-projects") == [there, here]
    assert str(other.path) in alone("runs", "ls", "--all-projects").expect(0).out
    alone("runs", "rm", here, "--all-projects", "--yes").expect(2)
    alone("runs", "rm", "--all", "--yes").expect(0)
    assert listed(alone, "--all-projects") == [there]
    alone("runs", "rm", "--all", "--all-projects", "--yes").expect(0)
    assert listed(alone, "--all-projects") == []


def test_the_history_keeps_how_a_run_was_asked_for_without_credentials(alone):
    secret = {"KEY": "hunter2-hunter2"}
    file = alone.project.workflow("""
        workflow:
          name: ci
          on: {manual: {inputs: {target: {}}}}
          jobs: [{name: job, image: host, network: none, secrets: [KEY], run: "true"}]
        """)
    alone.run(file, "--event", "manual", "--input", "target=x", "--env", "A=b", "--job", "job", "--secret", "KEY", env=secret).expect(0)
    [(asked, names)] = sqlite3.connect(alone.state / "store.db").execute("SELECT options, secret_names FROM runs").fetchall()
    assert json.loads(asked) == {"event": "manual", "file": file, "jobs": ["job"], "inputs": [["target", "x"]], "env": [["A", "b"]]}
    assert "KEY" in names and "hunter2" not in asked + names


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount something in the way")
def test_a_sandbox_directory_that_cannot_be_removed_stops_no_run(alone):
    alone.run(alone.project.job(run="true")).expect(0)
    stuck = alone.state / "sandboxes" / "stuck" / "busy"
    stuck.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", str(stuck)], check=True)
    try:
        ran = alone.run(alone.project.job(run="echo fine")).expect(0)
        assert ran.output() == "fine\n" and "stuck" in ran.err, ran
    finally:
        subprocess.run(["umount", str(stuck)], check=True)
    alone.run(alone.project.job(run="true")).expect(0)
    assert not stuck.exists()

"""Ctrl-C, kill -9, two at once: what ends, and that nothing is left behind."""
import json
import time
from signal import SIGHUP

import pytest
from harness import (SIGINT, SIGKILL, SIGTERM, cgroups, descendants, expect_nothing_after_kill_9, is_alive, mounts_below, sandbox_directories,
                     wait_until)


def slow_job(project, run="echo up; sleep 50"):
    return project.job(run=run)


@pytest.mark.parametrize("number, code", [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129)])
def test_a_signal_cancels_gracefully(slipway, number, code):
    file = slow_job(slipway.project, "trap 'echo cleaned up; exit 1' TERM INT; echo up; while :; do sleep 0.05; done")
    running = slipway.start("run", "--json", file)
    running.wait_for('"text":"up"')
    running.signal(number)
    ran = running.ended(20).expect(code)
    assert ran.finished["outcome"] == "cancelled"
    assert ran.outcomes() == {"job": "cancelled"}
    assert "cleaned up" in ran.output()


def test_a_second_ctrl_c_ends_it_at_once(slipway):
    file = slow_job(slipway.project, "trap '' TERM INT; echo up; while :; do sleep 0.05; done")
    running = slipway.start("run", "--json", file)
    running.wait_for('"text":"up"')
    running.signal(SIGINT)
    time.sleep(0.3)  # a person's second press
    begin = time.monotonic()
    running.signal(SIGINT)
    running.ended(10).expect(130)
    assert time.monotonic() - begin < 3


def test_always_jobs_run_after_a_cancellation(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: slow, run: echo up; sleep 50}
            - {name: next, depends_on: [slow], run: "true"}
            - {name: cleanup, depends_on: [slow], condition: always, run: echo cleaning}
        """)
    running = slipway.start("run", "--json", file)
    running.wait_for('"text":"up"')
    running.signal(SIGINT)
    ran = running.ended(25).expect(130)
    assert ran.outcomes()["cleanup"] == "succeeded" and ran.outcomes()["next"] in ("skipped", "cancelled")


@pytest.mark.parametrize("moment", [0.0, 0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.12])
def test_kill_9_at_any_moment_leaves_no_process_mount_or_namespace(alone, moment):
    alone.run(alone.project.job(run="true")).expect(0)  # what the first start makes once is there
    known = cgroups()
    file = slow_job(alone.project, "(setsid sleep 77 &); echo up; sleep 77")
    running = alone.start("run", file, "--max-parallel", "8")
    end = time.monotonic() + moment
    below = set()
    while time.monotonic() < end:
        below |= set(descendants(running.pid))
    below |= set(descendants(running.pid))
    expect_nothing_after_kill_9(alone, running, below, known)


def test_kill_9_while_a_step_runs_ends_the_step_within_a_second(alone):
    running = alone.start("run", "--json", slow_job(alone.project, "(setsid sleep 78 &); echo up; sleep 78"))
    running.wait_for('"text":"up"')
    below = descendants(running.pid)
    assert below
    running.signal(SIGKILL)
    running.process.wait()
    begin = time.monotonic()
    wait_until(lambda: not [pid for pid in below if is_alive(pid)], 3, what="the end of every process")
    assert time.monotonic() - begin < 1.2


def test_kill_9_with_eight_sandboxes_starting(alone):
    file = alone.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs: [{name: job, matrix: {axes: {n: [1, 2, 3, 4, 5, 6, 7, 8]}}, run: sleep 50}]
        """)
    for moment in (0.01, 0.02, 0.05):
        running = alone.start("run", file, "--max-parallel", "8")
        time.sleep(moment)  # the moment is what is tested
        below = descendants(running.pid)
        running.signal(SIGKILL)
        running.process.wait()
        wait_until(lambda: not [pid for pid in below if is_alive(pid)], 3, what="the end of every process")
    alone.run(alone.project.job(run="true")).expect(0)
    assert sandbox_directories(alone.state) == []


def test_the_run_of_a_killed_slipway_is_shown_as_such(alone):
    running = alone.start("run", "--json", slow_job(alone.project))
    running.wait_for('"text":"up"')
    running.signal(SIGKILL)
    running.process.wait()
    listed = alone("runs", "ls").expect(0)
    assert "running" not in listed.out, listed
    assert "up" in alone("logs", "latest").expect(0).out


def test_another_live_slipway_is_untouched_by_a_start_and_a_crash(alone):
    living = alone.start("run", "--json", slow_job(alone.project, "echo up; while [ ! -e /tmp/never ]; do sleep 0.05; test $((n=n+1)) -lt 60 || exit 0; done"))
    living.wait_for('"text":"up"')
    dying = alone.start("run", alone.project.workflow("job: {name: other, image: host, network: none, run: echo also; sleep 50}\n", "other"))
    dying.wait_for(r"other \| also")
    dying.signal(SIGKILL)
    dying.process.wait()
    alone.run(alone.project.workflow("job: {name: third, image: host, network: none, run: 'true'}\n", "third")).expect(0)
    living.ended(30).expect(0)


def test_two_at_once_do_not_disturb_each_other(alone):
    file = alone.project.job(run="echo x >/tmp/mine; sleep 0.5; cat /tmp/mine; ls /tmp | wc -l")
    several = [alone.start("run", "--json", file) for _ in range(4)]
    for running in several:
        assert running.ended(30).expect(0).output().startswith("x\n")


def test_nothing_is_left_after_a_run(alone):
    before = cgroups()
    alone.run(alone.project.job(run="echo x")).expect(0)
    assert sandbox_directories(alone.state) == []
    assert not mounts_below(alone.state / "sandboxes")
    assert cgroups() - before == set() or all("/job" not in c for c in cgroups() - before)


def test_a_reader_that_goes_away_does_not_hang_the_run(slipway):
    import subprocess
    from harness import BUILD
    file = slipway.project.job(run="seq 1 200000")
    done = subprocess.run(f"{BUILD}/slipway run {file} | head -n 1", shell=True, cwd=slipway.project.path, env=slipway.environment,
                          capture_output=True, timeout=40)
    assert done.returncode == 0


def in_group(alone, policy, name, job=None):
    group = {"group": "deploy", "policy": policy}
    work = {"name": "job", "image": "host", "network": "none", "run": f"echo in; {job or 'true'}"}
    return alone.project.workflow(json.dumps({"workflow": {"name": name, "concurrency": group, "jobs": [work]}}), name=name)


def test_a_concurrency_group_holds_between_processes_and_outlives_none(alone):
    first = alone.start("run", "--json", in_group(alone, "queue", "first", "sleep 60"))
    first.wait_for('"text":"in"')
    second = alone.start("run", "--json", in_group(alone, "queue", "second"))
    wait_until(lambda: "deploy" in second.log.with_suffix(".err").read_text(), what="word of what it waits for")
    assert '"text":"in"' not in second.text()
    first.signal(SIGKILL)
    assert second.ended(10).expect(0).output() == "in\n"


def test_a_newer_process_cancels_the_run_in_its_group(alone):
    first = alone.start("run", "--json", in_group(alone, "cancel_running", "first", "sleep 60"))
    first.wait_for('"text":"in"')
    assert alone.run(in_group(alone, "cancel_running", "second")).expect(0).output() == "in\n"
    ended = first.ended().expect(3)
    assert ended.finished["outcome"] == "cancelled" and "newer" in ended.out, ended

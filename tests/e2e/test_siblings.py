"""Untrusted source beside job code: what a user writes, and what comes back."""
import os
import time

import pytest
from harness import SIGINT, SIGKILL, cgroups, descendants, is_alive, sandbox_directories, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a user id for the source needs root")


def job(project, *steps, **keys):
    """Steps as (name, script, keys...); `source` in front of a name: run_as source."""
    import json
    made = []
    for name, run, *more in steps:
        step = {"name": name.removeprefix("source "), "run": run} | (more[0] if more else {})
        made.append(step | ({"run_as": "source"} if name.startswith("source ") else {}))
    text = {"name": "job", "image": "host", "network": "none", "timeout": "50s", **keys, "steps": made}
    return project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [text]}}, indent=2))


# --- run_as: source ---

def test_a_source_step_builds_and_job_code_reads(slipway):
    slipway.project.write("run.sh", "echo ran as $(id -un)\n").chmod(0o755)
    ran = slipway.run(job(slipway.project, ("source build", "./run.sh; echo made > out"),
                          ("use", "exec 2>&1; cat out; stat -c %U out . ; touch mine || echo read only; ./run.sh || echo not executed; sh run.sh"))).expect(0)
    assert ran.output(step="build") == "ran as runner\n"
    assert ran.output(step="use").splitlines()[:3] == ["made", "source", "source"]
    assert "read only\n" in ran.output(step="use") and "not executed\n" in ran.output(step="use")
    assert ran.output(step="use").endswith("ran as runner\n")


def test_a_source_step_has_a_clean_environment_and_what_was_declared(slipway):
    ran = slipway.run(job(slipway.project, ("source show", 'echo "$A$B$C"; env; test -z "${SLIPWAY_SOCKET-}${TOKEN-}"', {"env": {"B": "b"}}),
                          env={"A": "a"}, secrets=["TOKEN"]), "--secret", "TOKEN", env={"TOKEN": "sesame-open-1", "C": "c"}).expect(0)
    assert ran.output().startswith("ab\n")
    names = {line.partition("=")[0] for line in ran.output().splitlines()[1:]}
    assert names == {"A", "B", "CI", "GIT_BRANCH", "GIT_COMMIT", "GIT_REF", "HOME", "LANG", "LOGNAME", "PATH", "PWD", "SLIPWAY_REVISION",
                     "SLIPWAY_SANDBOX", "TMPDIR", "USER"}


def test_what_source_prints_is_masked_and_told_as_its_own(slipway):
    file = job(slipway.project, ("source talk", "echo sesame-open-1; printf sesame; sleep 0.1; echo -open-1 >&2; echo '::group::x'"), secrets=["TOKEN"])
    ran = slipway.run(file, "--secret", "TOKEN", env={"TOKEN": "sesame-open-1"}).expect(0)
    assert "sesame-open-1" not in ran.out and "***" in ran.output()
    assert {event.get("origin") for event in ran.of("output")} == {"source"}


def test_the_exit_code_and_reason_of_source_are_the_steps(slipway):
    ran = slipway.run(job(slipway.project, ("source fails", "exit 7"), ("next", "true"))).expect(1)
    assert ran.step("fails")["exit_code"] == 7 and ran.step("fails")["outcome"] == "failed"
    assert ran.step("next")["outcome"] == "skipped"
    ran = slipway.run(job(slipway.project, ("source killed", "kill -9 $$"))).expect(1)
    assert ran.step("killed")["exit_code"] == 137
    ran = slipway.run(job(slipway.project, ("source no shell", "true", {"shell": "/bin/nosuchshell"}))).expect(1)
    assert "not found" in ran.out, ran


def test_conditions_retries_and_parallel_steps_hold_for_source(slipway):
    ran = slipway.run(job(slipway.project, ("source flaky", "test -e again || { touch again; exit 1; }", {"retry": {"attempts": 2, "on": ["failed"], "backoff": "10ms"}}),
                          ("source a", "sleep 0.2; echo a", {"parallel": True}), ("b", "echo b", {"parallel": True}),
                          ("source never", "echo never", {"condition": "any_failed"}))).expect(0)
    assert [event["outcome"] for event in ran.of("step_finished") if event["step"] == "flaky"] == ["failed", "succeeded"]
    assert ran.step("never")["outcome"] == "skipped"
    assert sorted(ran.output().split()) == ["a", "b"]


@pytest.mark.parametrize("keys, words", [({"timeout": "300ms"}, "ran longer than its timeout"), ({"no_output_timeout": "300ms"}, "printed nothing")])
def test_a_source_step_is_held_to_its_times(slipway, keys, words):
    begin = time.monotonic()
    ran = slipway.run(job(slipway.project, ("source slow", "sleep 49", keys), ("cleanup", "echo cleaned", {"condition": "always"}))).expect(124)
    assert ran.step("slow")["outcome"] == "timed_out" and words in ran.out
    assert "cleaned" in ran.output() and time.monotonic() - begin < 8


def test_a_source_step_that_ignores_the_polite_stop_is_killed(slipway):
    begin = time.monotonic()
    ran = slipway.run(job(slipway.project, ("source stubborn", "trap '' TERM INT; while :; do sleep 0.05; done", {"timeout": "300ms"}))).expect(124)
    assert ran.step("stubborn")["outcome"] == "timed_out" and time.monotonic() - begin < 14


def test_ctrl_c_lets_source_clean_up(slipway):
    running = slipway.start("run", "--json", job(slipway.project, ("source slow", "trap 'echo cleaned up; exit 1' TERM; echo up; while :; do sleep 0.05; done")))
    running.wait_for('"text":"up"')
    running.signal(SIGINT)
    ran = running.ended(20).expect(130)
    assert ran.outcomes() == {"job": "cancelled"} and "cleaned up" in ran.output()


def test_kill_9_of_slipway_leaves_nothing_of_a_sibling(alone):
    alone.run(alone.project.job(run="true")).expect(0)
    known = cgroups()
    running = alone.start("run", "--json", job(alone.project, ("source slow", "(setsid sleep 71 &); echo up; sleep 71")))
    running.wait_for('"text":"up"')
    below = descendants(running.pid)
    running.signal(SIGKILL)
    running.process.wait()
    wait_until(lambda: not [pid for pid in below if is_alive(pid)], 2, what="the end of every process")
    alone.run(alone.project.job(run="true")).expect(0)
    assert sandbox_directories(alone.state) == []
    wait_until(lambda: not (cgroups() - known), 5, what="the removal of cgroups")
    assert "up" in alone("logs", "#2").expect(0).out


def test_where_no_sibling_can_be_made_the_plan_says_so(slipway):
    file = job(slipway.project, ("source build", "true"))
    ran = slipway("run", "--backend", "docker", "--image", "debian:12", file).expect(2)
    assert "E105" in ran.err and "ci.yaml:" in ran.err, ran


def test_a_source_step_gets_neither_secrets_nor_artifacts(slipway):
    for keys, code in [({"secrets": ["TOKEN"]}, "E060"), ({"uses_artifacts": ["dist"]}, "E019")]:
        assert code in slipway("lint", job(slipway.project, ("source build", "true", keys))).expect(2).out


def test_plans_show_who_a_step_is(slipway):
    assert "run_as: source" in slipway("plan", "--resolved", job(slipway.project, ("source build", "true"))).expect(0).out

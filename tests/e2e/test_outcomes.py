"""Exit codes and typed outcomes."""
import json

import pytest


def test_a_succeeded_job_gives_exit_code_0(slipway):
    file = slipway.project.job(run="true")
    ran = slipway.run(file).expect(0)
    assert ran.finished["outcome"] == "succeeded"
    assert ran.outcomes() == {"job": "succeeded"}


def test_a_failed_step_gives_1_and_its_own_code_is_in_the_json(slipway):
    file = slipway.project.job(steps=[("fine", "true"), ("bad", "exit 7"), ("later", "true")])
    ran = slipway.run(file).expect(1)
    assert ran.finished["exit_code"] == 1
    assert (ran.step("bad")["outcome"], ran.step("bad")["exit_code"]) == ("failed", 7)
    assert ran.step("later")["outcome"] == "skipped"
    assert ran.job("job")["exit_code"] == 7


def test_a_step_ended_by_a_signal_has_128_plus_its_number(slipway):
    ran = slipway.run(slipway.project.job(run="kill -KILL $$")).expect(1)
    assert ran.job("job")["exit_code"] == 137


def test_a_missing_command_fails_with_127(slipway):
    ran = slipway.run(slipway.project.job(run="there-is-no-such-program")).expect(1)
    assert ran.job("job")["exit_code"] == 127


@pytest.mark.parametrize("keys, says", [
    ({"command": ["shh", "-c", "true"]}, "its program `shh` was not found in this image"),
    ({"command": ["./none"]}, "its program `./none`, or the interpreter it names, was not found in this image"),
    ({"run": "true", "shell": "nosuchshell"}, "its shell `nosuchshell` was not found in this image (set `shell`, or install it)"),
    ({"run": "true", "working_dir": "nope"}, "its working directory `/job/src/nope` cannot be entered: No such file or directory"),
])
def test_what_a_step_cannot_start_is_named(slipway, keys, says):
    file = slipway.project.workflow(json.dumps({"job": {"name": "job", "image": slipway.project.image, "network": "none", "steps": [{"name": "s", **keys}]}}))
    ran = slipway.run(file).expect(1)
    assert ran.job("job")["exit_code"] == 127 and ran.of("job_finished")[0]["reason"] == f"step `s`: {says}", ran


@pytest.mark.limit("memory")
def test_out_of_memory_is_told_from_a_failure(slipway):
    file = slipway.project.job(run="head -c 400000000 /dev/zero | tail", keys={"resources": {"memory": "64MiB"}})
    ran = slipway.run(file).expect(1)
    assert ran.outcomes() == {"job": "out_of_memory"}


def test_exit_code_137_of_the_steps_own_is_not_out_of_memory(slipway):
    ran = slipway.run(slipway.project.job(run="exit 137")).expect(1)
    assert ran.outcomes() == {"job": "failed"}


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--max-parallel", "many"], ["no-such-file.yaml"], ["--event", "coffee"]])
def test_wrong_usage_gives_2_and_says_what_is_wrong(slipway, arguments):
    slipway.project.job(run="true")
    ran = slipway("run", *arguments).expect(2)
    assert arguments[-1].strip("-") in ran.err + ran.out


def test_an_unknown_command_gives_2_and_the_nearest(slipway):
    ran = slipway("rum").expect(2)
    assert "run" in ran.err


def test_a_broken_definition_gives_2_before_anything_runs(slipway):
    file = slipway.project.workflow("workflow:\n  name: ci\n  jobs:\n    - name: a\n      rum: true\n")
    ran = slipway("run", file).expect(2)
    assert f"{file}:5:7" in ran.err + ran.out


def test_what_has_no_effect_locally_is_said_and_does_not_stop_the_run(slipway):
    ran = slipway("run", slipway.project.job(run="true", keys={"labels": ["gpu"], "priority": 10})).expect(0)
    assert "labels" in ran.err + ran.out and "priority" in ran.err + ran.out


def test_host_network_is_not_allowed_unless_the_operator_says_so(slipway):
    file = slipway.project.job(run="true", keys={"network": "host"})
    slipway("run", file).expect(4)
    slipway.config("sandbox: {allow_host_network: true}\n")
    slipway("run", file).expect(0)


def test_nested_is_not_allowed_unless_the_operator_says_so(slipway):
    file = slipway.project.job(run="unshare --user --map-root-user true", keys={"nested": True})
    slipway("run", file).expect(4)
    slipway.config("sandbox: {allow_nested: true}\n")
    slipway("run", file).expect(0)


@pytest.mark.parametrize("keys", [{"timeout": "1s"}, {"steps": [{"name": "slow", "run": "sleep 60", "timeout": "1s"}]},
                                  {"no_output_timeout": "1s"}], ids=["job", "step", "no output"])
def test_a_timeout_gives_124_and_names_itself(slipway, keys):
    run = None if "steps" in keys else "sleep 60"
    ran = slipway.run(slipway.project.job(run=run, keys=keys)).expect(124)
    assert ran.outcomes() == {"job": "timed_out"}


def test_of_several_outcomes_failed_counts_before_timed_out(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: slow, run: sleep 60, timeout: 1s}
            - {name: bad, run: exit 3}
            - {name: good, run: "true"}
        """)
    ran = slipway.run(file).expect(1)
    assert ran.outcomes() == {"slow": "timed_out", "bad": "failed", "good": "succeeded"}


def test_continue_on_error_shows_the_failure_and_does_not_spread_it(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - name: shaky
              steps:
                - {name: lint, run: exit 1, continue_on_error: true}
                - {name: build, run: "true"}
            - {name: after, depends_on: [shaky], run: "true"}
        """)
    ran = slipway.run(file).expect(0)
    assert ran.step("lint", "shaky")["outcome"] == "failed"
    assert ran.outcomes() == {"shaky": "succeeded", "after": "succeeded"}


def test_dependants_of_a_failed_job_are_skipped_unless_their_condition_allows(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: bad, run: exit 1}
            - {name: after, depends_on: [bad], run: "true"}
            - {name: cleanup, depends_on: [bad], condition: always, run: "true"}
            - {name: on_failure, depends_on: [bad], condition: any_failed, run: "true"}
        """)
    ran = slipway.run(file).expect(1)
    assert ran.outcomes() == {"bad": "failed", "after": "skipped", "cleanup": "succeeded", "on_failure": "succeeded"}


def test_a_retry_makes_another_attempt(slipway):
    # Nothing survives from one attempt to the next but a cache: the second try finds the first one's mark.
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - name: flaky
              retry: {attempts: 1, on: [failed], backoff: 10ms}
              run: test "$SLIPWAY_ATTEMPT" = 2
        """)
    ran = slipway.run(file).expect(0)
    assert ran.outcomes() == {"flaky": "succeeded"}


def test_a_background_child_neither_hangs_a_job_nor_outlives_it(slipway):
    ran = slipway.run(slipway.project.job(steps=[("daemon", "(setsid sleep 1000 &) ; sleep 1000 & echo started")])).expect(0)
    assert "started" in ran.output()
    assert ran.finished["jobs"][0]["duration_ms"] < 10_000

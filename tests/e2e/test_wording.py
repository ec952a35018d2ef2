"""What people read: names, plurals and symbols that say what happened, hints that name what was meant."""
import json
import re

import pytest
from harness import SIGINT

SEVERAL = """
workflow:
  name: ci
  defaults: {image: host, network: none}
  jobs:
    - {name: fails, run: exit 3}
    - {name: breaks, run: exit 4}
    - {name: slow, timeout: 300ms, run: sleep 20}
    - {name: after, depends_on: [slow], run: "true"}
"""


def test_the_summary_counts_what_failed_and_says_how_a_dependency_ended(slipway):
    ran = slipway("run", slipway.project.workflow(SEVERAL)).expect(1)
    assert re.search(r"✗ ci failed in .*: job `(fails|breaks)` failed: step `run`: exit code [34]; 2 more failed", ran.out), ran
    assert "after  skipped: slow timed out" in ran.out
    assert "killed by signal" not in ran.out, "the timeout says why it ended"
    assert "3 of 4 jobs failed" in slipway("runs", "ls", "-n", "1").expect(0).out


def test_an_error_annotation_is_no_warning(slipway):
    file = slipway.project.job(run='slipway annotate --level error --file a.c --line 3 bad; slipway annotate --level warning hm')
    out = slipway("run", file).expect(0).out
    assert "✗ job: error: a.c:3: bad" in out and "⚠ job: warning: hm" in out


def test_what_starts_after_a_second_ctrl_c_is_not_said_to_have_had_a_grace(slipway):
    file = slipway.project.job(steps=[("one", "trap '' TERM INT; echo up; while :; do sleep 0.05; done"), ("two", "true")])
    running = slipway.start("run", file)
    running.wait_for("up")
    running.signal(SIGINT)
    running.wait_for("again to stop at once")
    running.signal(SIGINT)
    ran = running.ended(10).expect(130)
    assert "grace period" not in ran.out and "cancelled by the user" in ran.out, ran


def test_ages_and_counts_are_words(alone):
    alone("run", alone.project.job(run="exit 1")).expect(1)
    listed = alone("runs", "ls").expect(0).out
    assert "just now" in listed and "1 of 1 job failed" in listed
    assert alone("runs", "rm", "--all", "--yes").expect(0).out.startswith("Removed 1 run, ")


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "timed_out", "cancelled", "out_of_memory", "infra_failed", "rejected", "skipped"])
def test_every_outcome_can_be_listed(slipway, outcome):
    slipway.run(slipway.project.job(run="true")).expect(0)
    out = slipway("runs", "ls", "--outcome", outcome).expect(0).out
    assert outcome == "succeeded" or "No runs yet" not in out


@pytest.mark.parametrize("name", ["ci.yaml", "ci", "cy.yaml"])
def test_a_file_named_without_its_directory_is_suggested(slipway, name):
    file = slipway.project.job(run="true")
    assert f"there is no file {name}, did you mean {file}?" in slipway("run", name).expect(2).err
    below = slipway.project.path / "below"
    below.mkdir()
    assert f"did you mean ../{file}?" in slipway("run", name, cwd=below).expect(2).err


def test_the_state_directory_says_where_it_comes_from(slipway, tmp_path):
    del slipway.environment["SLIPWAY_CONFIG_STATE_DIR"]
    def line(*arguments):
        return re.search(r"^state_dir: (.*)$", slipway(*arguments, "--print-config").expect(0).out, re.M)[1]
    assert line() == f"{slipway.environment['XDG_STATE_HOME']}/slipway  # $XDG_STATE_HOME"
    del slipway.environment["XDG_STATE_HOME"]
    assert line() == f"{slipway.home}/.local/state/slipway  # built in"
    assert line("--state-dir", tmp_path / "x") == f"{tmp_path}/x  # --state-dir"


def test_scripts_of_shells_can_ask_for_runs_jobs_and_codes(slipway):
    file = slipway.project.workflow(SEVERAL)
    run = slipway.run(slipway.project.job(run="true")).expect(0).finished["run"]
    words = lambda *arguments: slipway("completion", "--words", *arguments).expect(0).out.splitlines()
    assert words("runs")[:2] == ["latest", run]
    slipway.project.workflow(SEVERAL)
    assert words("jobs") == words("jobs", "--workflow-file", file) == ["after", "breaks", "fails", "slow"]
    assert {"E012", "run"} <= set(words("codes"))
    images = [json.loads(line) for line in slipway("images", "ls", "--json").expect(0).out.splitlines()]
    assert {image["id"] for image in images} <= set(words("images"))
    slipway("completion").expect(2)


def test_commands_inside_a_job_explain_themselves(slipway):
    ran = slipway.run(slipway.project.job(run="slipway annotate --help; slipway help mask; slipway trigger -h")).expect(0)
    text = ran.output()
    assert "annotate [--level notice|warning|error]" in text and "mask VALUE" in text and "trigger --job NAME" in text
    assert "git-info" not in text


def test_help_of_a_group_of_commands_shows_them_all(slipway):
    text = slipway("help", "runs").expect(0).out
    for command in ("runs ls", "runs view", "runs rm", "runs artifacts"):
        assert f"slipway {command}:" in text


    assert slipway("runs", "--help").expect(0).out == text


def test_triggers_that_cannot_be_followed_say_why(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: cond, run: "true"}
            - {name: a, run: slipway trigger --job cond}
        """)
    ran = slipway("run", file)
    assert "`cond` is a job of this workflow" in ran.out and "slipway run .slipway/jobs/cond.yaml" not in ran.out, ran


def test_a_misused_command_in_a_job_shows_its_error_and_its_own_usage(slipway):
    ran = slipway("run", slipway.project.job(run="slipway trigger --jbo x")).expect(1)
    summary = ran.out[ran.out.rindex("trigger: unknown option"):]
    assert "annotate" not in ran.out and "usage" not in summary, ran


def test_a_masked_secret_is_no_error_line(slipway):
    file = slipway.project.job(run='echo "user: $TOKEN"; echo "x.c:1: error: bad"; exit 1', keys={"secrets": ["TOKEN"]})
    ran = slipway("run", file, "--secret", "TOKEN", env={"TOKEN": "s3cret-value-1"}).expect(1)
    assert ran.out.count("user: ***") == 1, ran


def test_what_carriage_returns_leave_visible_is_shown(slipway):
    ran = slipway("run", slipway.project.job(run=r"printf 'compiling a.c\rok\n'")).expect(0)
    assert "okmpiling a.c" in ran.out, ran
    assert "okmpiling a.c" in slipway("logs", "latest").expect(0).out


def test_an_attempt_that_there_was_not_is_an_error(slipway):
    slipway.run(slipway.project.job(run="echo x")).expect(0)
    assert slipway("logs", "latest", "job", "--attempt", "1").expect(0).out == "run | x\n"
    assert "there is no attempt 3" in slipway("logs", "latest", "job", "--attempt", "3").expect(2).err


def test_the_image_of_the_command_line_is_that_of_every_job(slipway):
    file = slipway.project.job(run="true")  # says `image: host`
    ran = slipway("run", file, "--image", "no-such-directory/")
    assert ran.code != 0 and "no-such-directory" in ran.err, ran
    slipway("run", file, "--image", "host").expect(0)


def test_nothing_that_starts_says_how_to_run_it(slipway):
    file = slipway.project.job(run="true")  # without `on`
    assert f"to run one all the same: slipway run {file}\n" in slipway("run").expect(0).err
    slipway.project.commit()
    url = f"file://{slipway.project.path}"
    said = slipway("run", "--source-url", url, "--source-ref", "main").expect(0).err
    assert f"to run one all the same: slipway run {file} --source-url {url} --source-ref main\n" in said

"""Jobs that ask for jobs: followed, or shown with the command that runs them."""
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from harness import ROOT

GOLDEN = sorted((ROOT / "tests/golden/triggers").glob("*.json"))


def asking(slipway, text: str, **keys) -> str:
    """A workflow whose job `job` triggers the JSON `text`."""
    slipway.project.write("trigger.json", text)
    return slipway.project.job(run="slipway trigger trigger.json", keys=keys)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_the_json_of_triggers(slipway, golden):
    case = json.loads(golden.read_text())
    ran = slipway.run(asking(slipway, json.dumps(case["trigger"])), "--follow")
    if "refused" in case:
        ran.expect(1)
        [annotation] = ran.of("annotation")
        assert case["refused"] in ran.output("job") and case["refused"] in annotation["message"] and annotation["level"] == "error", ran
        assert list(ran.outcomes()) == ["job"]
        return
    ran.expect(0)
    assert [trigger["as"] for trigger in ran.of("trigger")] == case["joins"], ran
    for job, output in case.get("output", {}).items():
        assert ran.output(job) == output, ran


def test_followed_jobs_join_the_run_with_a_name_of_their_own(slipway):
    slipway.project.write(".slipway/jobs/deploy.yaml", "job: {name: deploy, image: host, network: none, run: 'echo \"deployed to $TARGET\"'}")
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          templates:
            check: {params: {of: {type: string}}, image: host, network: none, env: {OF: "{{ params.of }}"}, run: 'echo "checked $OF"'}
          jobs:
            - name: build
              env: {TARGET: moon}
              run: |
                slipway trigger --job deploy
                slipway trigger '{"job_name": "check", "with": {"of": "parts"}, "depends_on": ["deploy"]}'
                slipway trigger --job deploy --env TARGET=mars --depends-on check
            - {name: last, depends_on: [build], run: echo last}
        """)
    ran = slipway.run(file, "--follow").expect(0)
    assert ran.output("deploy") == "deployed to moon\n" and ran.output("check") == "checked parts\n" and ran.output("deploy (2)") == "deployed to mars\n", ran
    assert ran.outcomes() == dict.fromkeys(["build", "last", "deploy", "check", "deploy (2)"], "succeeded")
    added = {name: event["because"] for event in ran.of("jobs_added") for name in event["jobs"]}
    assert added == dict.fromkeys(["deploy", "check", "deploy (2)"], "asked for by `build`")
    # In the history as any other job.
    run = ran.finished["run"]
    assert "deployed to mars" in slipway("logs", run, "deploy (2)").expect(0).out
    assert "asked for by `build`" in slipway("explain", "check", "--run", run).expect(0).out
    assert "asked for `deploy` -> joins the run as `deploy (2)`" in slipway("explain", "build", "--run", run).expect(0).out
    viewed = json.loads(slipway("runs", "view", run, "--json").expect(0).out)
    assert {job["name"] for job in viewed["jobs"]} == set(ran.outcomes())


def test_the_setting_and_the_flag(slipway):
    file = slipway.project.job(run="slipway trigger --job next --run 'echo next'")
    assert slipway.run(file).expect(0).outcomes() == {"job": "succeeded"}
    slipway.project.write(".slipway/config.yaml", "triggers: {follow: true}\n")
    assert "next" in slipway.run(file).expect(0).outcomes()
    slipway.project.write(".slipway/config.yaml", "triggers: {allow_stdout: true}\n")
    assert "can only be set by whoever runs this machine" in slipway("run", file).expect(4).err


def test_a_failed_job_that_was_asked_for_fails_the_run(slipway):
    ran = slipway.run(slipway.project.job(run="slipway trigger --job next --run 'exit 7'"), "--follow").expect(1)
    assert ran.outcomes() == {"job": "succeeded", "next": "failed"}


def test_the_file_of_triggers_counts_also_when_the_job_fails(slipway):
    text = json.dumps({"type": "trigger_job", "jobs": [{"job_name": "tell", "job_command": "echo told"}]})
    ran = slipway.run(slipway.project.job(run=f"echo '{text}' >/job/triggers.json; exit 3"), "--follow").expect(1)
    assert ran.outcomes() == {"job": "failed", "tell": "succeeded"} and ran.output("tell") == "told\n"
    broken = slipway.run(slipway.project.job(run="echo '{\"job_name\": \"nothing\"}' >/job/triggers.json")).expect(0)
    assert any("nothing.yaml" in a["message"] for a in broken.of("annotation")), broken


def test_an_unknown_name_is_an_error_at_once(slipway):
    ran = slipway.run(slipway.project.job(run="slipway trigger --job nothing || echo \"code $?\"; echo goes on"))
    assert ran.expect(0).output() == "slipway: trigger: job `nothing`: no template `nothing`, and no .slipway/jobs/nothing.yaml\ncode 1\ngoes on\n"


def test_the_same_operation_twice_is_one(slipway):
    text = json.dumps({"type": "trigger_job", "operation_id": "1", "jobs": [{"job_name": "next", "job_command": "true"}]})
    ran = slipway.run(slipway.project.job(run=f"slipway trigger '{text}'; slipway trigger '{text}'"), "--follow").expect(0)
    assert sorted(ran.outcomes()) == ["job", "next"], ran
    ran = slipway.run(slipway.project.job(run="slipway trigger --job a --run true; slipway trigger --job a --run true"), "--follow").expect(0)
    assert sorted(ran.outcomes()) == ["a", "a (2)", "job"], ran


def test_what_cannot_be_read_says_where_it_breaks_off(slipway):
    ran = slipway.run(slipway.project.job(run="slipway trigger '{broken' || echo ended with $?")).expect(0)
    assert "trigger: 1:2: not JSON: syntax error" in ran.output() and "ended with 1" in ran.output(), ran


def test_a_job_that_asks_for_itself_ends(slipway):
    slipway.project.write(".slipway/jobs/loop.yaml", "job: {name: loop, image: host, network: none, run: slipway trigger --job loop}")
    ran = slipway.run(".slipway/jobs/loop.yaml", "--follow").expect(1)
    outcomes = list(ran.outcomes().values())
    assert len(outcomes) == 17 and outcomes.count("failed") == 1, ran
    assert "may go 16 deep" in ran.output() and "does a job ask for itself" in ran.output()


def test_a_run_takes_so_many_jobs_and_no_more(slipway):
    many = json.dumps([{"job_name": "n", "run": "true", "condition": "any_failed"}] * 64)
    slipway.project.write("many.json", '{"type": "trigger_job", "jobs": ' + many + "}")
    file = slipway.project.job(run="for i in 1 2 3 4; do slipway trigger many.json || exit 9; done; slipway trigger --job more --run true")
    ran = slipway.run(file, "--follow").expect(1)
    assert ran.step("run")["exit_code"] == 1 and "at most 256 jobs to a run" in ran.output(), ran
    too_many = json.dumps([{"job_name": "n", "run": "true"}] * 65)
    ran = slipway.run(asking(slipway, '{"type": "trigger_job", "jobs": ' + too_many + "}"), "--follow").expect(1)
    assert "at most 64 jobs" in ran.output()


def test_what_is_inherited_and_what_is_not(slipway):
    slipway.project.write("app/mark", "here")
    slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [{
        "name": "job", "image": "host", "network": "none", "timeout": "40s", "secrets": ["TOKEN"], "env": {"A": "1", "B": "2"},
        "source_code": {"path": "app"},
        "run": "slipway trigger '{\"job_name\": \"next\", \"run\": \"ls; echo $A$B${TOKEN:-none}\", \"env\": {\"B\": 3}}'"}]}}))
    ran = slipway.run(".slipway/workflows/ci.yaml", "--follow", "--secret", "TOKEN", env={"TOKEN": "s3cret-value-1"}).expect(0)
    assert ran.output("next") == "mark\n13none\n", ran


# --- lines of output ---

LINE = '::slipway-trigger::{"job_name": "next", "run": "echo asked"}'


def test_lines_of_output_ask_only_where_the_operator_says_so(slipway):
    file = slipway.project.job(run=f"echo '{LINE}'; printf '%s' ' {LINE}'; echo 'x{LINE}'; echo '{LINE}' >&2")
    assert not slipway.run(file, "--follow").expect(0).of("trigger")
    ran = slipway.run(file, "--follow", "--allow-stdout-triggers").expect(0)
    assert sorted(ran.outcomes()) == ["job", "next"] and ran.output("job").count(LINE) == 4, "the line stays visible, and only one asks"
    bad = slipway.run(slipway.project.job(run="echo '::slipway-trigger::{'"), "--allow-stdout-triggers").expect(0)
    assert [a["level"] for a in bad.of("annotation")] == ["error"] and "::slipway-trigger::" in bad.of("annotation")[0]["message"], bad


def test_a_secret_in_such_a_line_is_masked(slipway):
    file = slipway.project.job(run=f"""echo '::slipway-trigger::{{"job_name": "next", "run": "echo '"$TOKEN"'"}}'""", keys={"secrets": ["TOKEN"]})
    ran = slipway.run(file, "--allow-stdout-triggers", "--secret", "TOKEN", env={"TOKEN": "s3cret-value-1"}).expect(0)
    [trigger] = ran.of("trigger")
    assert "***" in trigger["trigger"] and "s3cret-value-1" not in ran.out


def test_a_secret_of_many_digits_is_masked_also_where_it_is_a_number(slipway):
    digits = "20301122000000000000042"
    trigger = '{"job_name": "next", "run": "echo $T", "env": {"T": \'"$TOKEN"\'}}'
    for way in (f"slipway trigger '{trigger}'", f"echo '{trigger}' >/job/triggers.json", f"echo '::slipway-trigger::{trigger}'"):
        file = slipway.project.job(run=way, keys={"secrets": ["TOKEN"]})
        ran = slipway.run(file, "--follow", "--allow-stdout-triggers", "--secret", "TOKEN", env={"TOKEN": digits}).expect(0)
        assert "***" in ran.out and digits[:9] not in ran.out and "2.03" not in ran.out, (way, ran)
        assert ran.output("next") == "***\n", way


def test_a_value_that_is_masked_from_its_own_line_on_is_masked_in_the_line_behind_it(slipway):
    """Both in one write: what is read together is still obeyed line by line."""
    file = slipway.project.job(run="""printf '%s\\n%s\\n' '::add-mask::printed-value-7' '::slipway-trigger::{"job_name": "next", "run": "echo printed-value-7"}'""")
    ran = slipway.run(file, "--allow-stdout-triggers").expect(0)
    [trigger] = ran.of("trigger")
    assert "echo ***" in trigger["trigger"], trigger


def test_fenced_off_lines_ask_for_nothing(slipway):
    file = slipway.project.job(run=f"echo '::stop-commands::fence'; echo '{LINE}'; echo '::fence::'; echo '{LINE.replace('next', 'then')}'")
    ran = slipway.run(file, "--allow-stdout-triggers").expect(0)
    assert [trigger["job"] for trigger in ran.of("trigger")] == ["then"], ran


def test_source_cannot_ask_by_its_output(slipway):
    file = slipway.project.job(steps=[("source", f"echo '{LINE}'")])
    text = Path(slipway.project.path / file).read_text().replace('"name": "source"', '"name": "source", "run_as": "source"')
    slipway.project.write(file, text)
    ran = slipway.run(file, "--follow", "--allow-stdout-triggers").expect(0)
    assert not ran.of("trigger") and LINE in ran.output(), ran


# --- not followed ---

def pasted(slipway, command: str):
    """What a person gets who pastes it into a shell."""
    words = shlex.split(command)
    assert words[0] == "slipway", command
    return slipway("run", "--json", *words[2:])


def test_what_is_not_followed_is_shown_with_commands_that_run_it(slipway):
    slipway.project.write(".slipway/jobs/deploy.yaml", "job: {name: deploy, image: host, network: none, run: echo deployed}")
    file = slipway.project.job(run="slipway trigger --job deploy; slipway trigger --job 'it is' --run 'echo \"it'\"'\"'s\"'; slipway trigger --job with --run 'echo $X' --env X=1")
    shown = slipway("run", file).expect(0).out
    assert "would run next: deploy (asked for by job)\n" in shown and "would run next: with (asked for by job)\n" in shown
    commands = re.findall(r"^      (slipway run .*)$", shown, re.M)
    assert len(commands) == 2, shown
    outputs = []
    for command in commands:
        done = pasted(slipway, command)
        assert done.code == 0, done
        outputs += [json.loads(line)["text"] for line in done.out.splitlines() if json.loads(line)["type"] == "output"]
    assert outputs == ["deployed", "it's"]
    [follow] = re.findall(r"to run what jobs ask for: (.*)$", shown, re.M)
    done = pasted(slipway, follow)
    finished = json.loads(done.out.splitlines()[-1])
    assert done.code == 0 and sorted(job["name"] for job in finished["jobs"]) == ["deploy", "it is", "job", "with"], done


def test_json_says_that_it_is_next(slipway):
    [trigger] = slipway.run(slipway.project.job(run="slipway trigger --job x --run true")).expect(0).of("trigger")
    assert (trigger["accepted"], trigger["next"], trigger["as"], trigger["reason"]) == (False, True, "", "")


def test_the_plan_names_what_may_be_asked_for(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          templates: {check: {image: host, run: "true"}}
          jobs: [{name: a, image: host, run: "true"}]
        """)
    assert "check" in slipway("run", "--dry-run", file).expect(0).out
    plan = json.loads(slipway("plan", file, "--json").expect(0).out)
    assert plan["workflows"][0]["templates"] == ["check"] and plan["workflows"][0]["follows_triggers"] is False

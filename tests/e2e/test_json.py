"""The shape of --json: programs depend on it (docs/json.md)."""
import json
import re

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")


def test_the_last_line_is_run_finished_in_its_documented_shape(slipway):
    ran = slipway.run(slipway.project.job(steps=[("unit", "echo hello"), ("bad", "exit 3")])).expect(1)
    finished = ran.finished
    assert set(finished) >= {"type", "run", "outcome", "exit_code", "jobs"}
    assert (finished["outcome"], finished["exit_code"]) == ("failed", 1)
    [job] = finished["jobs"]
    assert set(job) >= {"name", "outcome", "exit_code", "started_at", "duration_ms", "steps"}
    assert TIME.match(job["started_at"]) and isinstance(job["duration_ms"], int)
    assert [(s["name"], s["outcome"], s["exit_code"]) for s in job["steps"]] == [("unit", "succeeded", 0), ("bad", "failed", 3)]
    assert all(isinstance(step["duration_ms"], int) for step in job["steps"])


def test_events_come_in_order(slipway):
    ran = slipway.run(slipway.project.job(steps=[("one", "echo 1"), ("two", "echo 2 >&2")])).expect(0)
    order = [(e["type"], e.get("step")) for e in ran.events if e["type"] in ("run_started", "job_started", "step_started", "step_finished", "job_finished", "run_finished")]
    assert order == [("run_started", None), ("job_started", None), ("step_started", "one"), ("step_finished", "one"),
                     ("step_started", "two"), ("step_finished", "two"), ("job_finished", None), ("run_finished", None)]
    assert (ran.output(step="one"), ran.output(step="two")) == ("1\n", "2\n")


def test_output_says_which_stream(slipway):
    ran = slipway.run(slipway.project.job(run="echo good; echo bad >&2")).expect(0)
    assert {event["stream"]: event["text"] for event in ran.of("output")} == {"stdout": "good", "stderr": "bad"}


def test_every_event_names_its_run(slipway):
    ran = slipway.run(slipway.project.job(run="echo x")).expect(0)
    assert {event["run"] for event in ran.events if event["type"] != "notice"} == {ran.finished["run"]}


def test_output_that_is_not_text_still_gives_valid_json(slipway):
    ran = slipway.run(slipway.project.job(run=r"""printf 'a\377\376b\000c\033[31mred\n'""")).expect(0)
    assert ran.output().startswith("a") and "red" in ran.output()


def test_annotations_and_triggers_are_events(slipway):
    ran = slipway.run(slipway.project.job(run="""
        slipway annotate --level warning "look here"
        slipway trigger --json '{"name": "deploy", "run": "true"}' && slipway trigger '{"job_name": "other", "job_command": "true"}'
        """))
    assert any("look here" in str(event) for event in ran.of("annotation")), ran
    assert [event["job"] for event in ran.of("trigger")] == ["deploy", "other"], ran


def test_nothing_but_json_is_on_stdout(slipway):
    ran = slipway("run", "--json", slipway.project.job(run="true", keys={"labels": ["x"]})).expect(0)
    assert all(line.startswith("{") for line in ran.out.splitlines())


def test_a_definition_error_is_json_too(slipway):
    file = slipway.project.workflow("workflow: {name: ci, jobs: [{name: a, rum: x}]}\n")
    ran = slipway("run", "--json", file).expect(2)
    problems = [json.loads(line) for line in ran.out.splitlines()]
    assert any(p.get("file") == file and p.get("line") == 1 and p.get("code", "").startswith("E") for p in problems), ran


def test_what_runs_nothing_ends_with_an_error_and_its_exit_code(slipway):
    wrong = slipway.project.workflow("workflow: {name: ci, jobs: [{name: a, rum: x}]}\n", name="wrong")
    policy = slipway.project.job(run="true", keys={"network": "host"})
    for file, code in ((wrong, 2), ("nosuch.yaml", 2), (policy, 4)):
        ran = slipway.run(file).expect(code)
        assert (ran.events[-1]["type"], ran.events[-1]["exit_code"]) == ("error", code), ran
        assert ran.events[-1]["message"]
    assert slipway.run(wrong).of("problem")[0]["code"].startswith("E")


def test_a_run_that_a_signal_ends_has_the_programs_exit_code(slipway):
    for number, code in ((2, 130), (15, 143)):
        running = slipway.start("run", "--json", slipway.project.job(run="echo up; sleep 60"))
        running.wait_for('"text":"up"')
        running.signal(number)
        ran = running.ended()
        assert (ran.code, ran.finished["exit_code"], ran.finished["outcome"]) == (code, code, "cancelled"), ran

"""Triggers, state, outputs, secrets, annotations, git, plugins."""
import json
import subprocess
import sys
from pathlib import Path

import pytest
import slipway
from slipway import Job, Plugin, SlipwayError, env

SDK = Path(__file__).resolve().parents[1]


def trigger(job, index=-1):
    return json.loads(job.of("trigger")[index]["json"])


def test_a_trigger_says_what_the_job_says_and_no_more(job):
    assert slipway.trigger_job(Job("deploy", env={"N": 1}, command="./d", image="debian:12", depends_on="test", condition="always", timeout=60)) == "deploy"
    sent = trigger(job)
    assert sent["type"] == "trigger_job" and sent["operation_id"]
    assert sent["jobs"] == [{"job_name": "deploy", "job_command": "./d", "container_image": "debian:12", "env": {"N": "1"},
                             "depends_on": ["test"], "condition": "always", "timeout": 60}]
    slipway.trigger_job("lint")
    assert trigger(job)["jobs"] == [{"job_name": "lint"}]


def test_several_go_in_one_trigger(job):
    before = slipway.flush_triggers()
    assert slipway.trigger_jobs([Job("a"), "b", {"name": "c", "command": "x"}], workflow="w", vars={"k": "v"}) == ["a", "b", "c"]
    assert len(job.of("trigger")) == 1 and trigger(job)["workflow"] == {"name": "w", "vars": {"k": "v"}}
    assert trigger(job)["jobs"][2] == {"job_name": "c", "job_command": "x"}
    assert slipway.trigger_jobs([]) == [] and len(job.of("trigger")) == 1
    assert slipway.flush_triggers() == before + 3


def test_a_job_has_a_name_and_says_everything_itself(job):
    with pytest.raises(ValueError):
        Job("")
    with pytest.raises(TypeError):
        slipway.trigger_job(Job("a"), command="x")


def test_state_is_what_the_owner_says(job):
    job.answer("state", lambda request: {"running": True} if request["what"] == "is_job_running" else {"in_progress": request["environment"] == "prod"})
    assert slipway.is_job_running(Job("deploy")) is True
    assert slipway.check_deploy_in_progress("prod") is True and slipway.check_deploy_in_progress("x") is False
    job.answer("state", {"exit_code": 0, "outcome": "succeeded", "outputs": {"v": "1"}})
    assert slipway.get_job_result("build")["outputs"] == {"v": "1"}
    job.refuse("state", "not_found", "no finished job")
    assert slipway.get_job_result("nothing") is None
    job.refuse("state", "unavailable", "gone")
    with pytest.raises(SlipwayError):
        slipway.get_job_result("nothing")


def test_outputs_and_variables_are_texts_and_can_be_read_again(job):
    slipway.outputs["ok"] = True
    slipway.set_output("n", 3)
    slipway.set_var("channel", "beta")
    assert [(one["name"], one["value"]) for one in job.of("output")] == [("ok", "true"), ("n", "3")]
    assert slipway.outputs["ok"] == "true" and slipway.vars.get("channel") == "beta" and "x" not in slipway.outputs


def test_artifacts_begin_where_the_program_stands(job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    slipway.artifact("logs", "*.log", "/job/x")
    assert job.of("artifact")[0]["paths"] == [str(tmp_path / "*.log"), "/job/x"]


def test_a_secret_that_was_granted_is_read_and_another_is_not(tmp_path, monkeypatch):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/KEY").write_text("k1")
    monkeypatch.setenv("SLIPWAY_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("TOKEN", "t1")
    assert slipway.secret("TOKEN") == "t1" and slipway.secret("KEY") == "k1" and slipway.secret("X", "d") == "d"
    for name in ("MISSING", "../secrets/KEY", ".."):
        with pytest.raises(SlipwayError, match="was not granted"):
            slipway.secret(name)


def test_groups_end_also_when_something_fails_within(job):
    with pytest.raises(KeyError), slipway.group("build"):
        raise KeyError
    assert [one["start"] for one in job.of("group")] == [True, False]


def test_remarks(job, capsys):
    slipway.annotate("slow", level="warning", file="a.c", line=3)
    assert job.of("annotate")[0] == {"do": "annotate", "level": "warning", "message": "slow", "title": "", "file": "a.c", "line": 3}
    slipway.log_next_job(Job("deploy"), "main is green")
    assert capsys.readouterr().out == "next job: deploy: main is green\n"


def test_the_next_job_is_named_with_its_command_where_a_file_has_it(job, capsys, tmp_path, monkeypatch):
    (tmp_path / "src/.slipway/jobs").mkdir(parents=True)
    (tmp_path / "src/.slipway/jobs/deploy.yaml").write_text("job: {}")
    monkeypatch.setenv("SLIPWAY_WORKSPACE", str(tmp_path))
    slipway.log_next_job("deploy")
    assert capsys.readouterr().out == "next job: deploy\n  slipway run .slipway/jobs/deploy.yaml\n"


def test_what_was_printed_stands_before_what_is_asked_for(job, monkeypatch):
    class Stream:
        flushed = 0

        def flush(self):
            assert not job.asked
            self.flushed += 1

    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, Stream())
    slipway.run_step("build", "true")
    assert sys.stdout.flushed == sys.stderr.flushed == 1
    job.asked.clear()
    slipway.mask("a late secret")
    assert sys.stdout.flushed == 1  # a mask hides what is not written yet


def test_the_event_is_read_where_there_is_one(tmp_path, monkeypatch):
    for name in ("SLIPWAY_EVENT", "GIT_BRANCH", "GIT_COMMIT", "SLIPWAY_REVISION"):
        monkeypatch.delenv(name, raising=False)
    assert (slipway.Env().event, slipway.Env().branch, slipway.Env().sha) == ("push", "", "")
    file = tmp_path / "event.json"
    file.write_text('{"event": "pull_request", "branch": "fix", "pr": {"number": 7}, "inputs": {"a": 1}}')
    monkeypatch.setenv("SLIPWAY_EVENT", str(file))
    monkeypatch.setenv("GIT_COMMIT", "0123456789abcdef")
    here = slipway.Env()
    assert (here.event, here.branch, here.pr_number, here.inputs, here.short_sha) == ("pull_request", "fix", 7, {"a": 1}, "0123456")
    assert here["GIT_COMMIT"] == here.sha and here.get("NOTHING") is None and env.workspace


def test_git_is_asked_of_the_owner_and_of_git(job, tmp_path, monkeypatch):
    job.answer("changed_files", {"files": ["b", "a"]})
    job.answer("git_info", {"branch": "main"})
    assert slipway.changed_files() == ["a", "b"] and slipway.git.info()["branch"] == "main"
    assert job.of("changed_files")[0] == {"do": "changed_files", "from": "HEAD^", "to": "HEAD"}
    source = tmp_path / "src"
    source.mkdir()
    run = lambda *words: subprocess.run(["git", "-c", "user.name=Ada", "-c", "user.email=a@b", *words], cwd=source, check=True, capture_output=True)
    run("init", "-q")
    run("commit", "-q", "--allow-empty", "-m", "one")
    run("tag", "v1")
    run("commit", "-q", "--allow-empty", "-m", "two")
    monkeypatch.setenv("SLIPWAY_WORKSPACE", str(tmp_path))
    assert [one["subject"] for one in slipway.git.commits()] == ["two", "one"] and slipway.git.commits(1)[0]["author"] == "Ada"
    assert slipway.git.tags() == ["v1"] and slipway.git.tags("x*") == []
    with pytest.raises(SlipwayError):
        slipway.git.commits(ref="nothing")


def test_a_plugin_takes_part_in_the_phases_it_overrides():
    class Mine(Plugin):
        def post_source_prep(self, context):
            return {"env": {"A": context["job"]}}
    mine = Mine("mine", priority=5)
    assert mine.handler("POST_SOURCE_PREP")({"job": "x"}) == {"env": {"A": "x"}} and mine.handler("cleanup") is None
    assert Mine().name == "Mine" and Mine().priority == 100
    with pytest.raises(ValueError):
        mine.handler("never")


def test_importing_it_asks_nothing_and_loads_little():
    code = "import sys; import slipway; print(sorted({'asyncio', 'dataclasses', 'enum_', 'inspect', 'subprocess', 'typing', 'uuid'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(SDK)!r}); {code}"], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_the_compatibility_module_has_the_names_of_old_scripts(job):
    import runnerlib
    from runnerlib.workflow import Job as OldJob
    from runnerlib.workflow import Step as OldStep
    from runnerlib.workflow import trigger_jobs
    assert OldJob is Job and OldStep is slipway.Step and trigger_jobs is slipway.trigger_jobs
    for name in ("trigger_job", "submit_job", "flush_triggers", "is_job_running", "get_job_result", "set_workflow_var", "set_workflow_output",
                 "workflow_vars", "changed_files", "git_info", "log_next_job"):
        assert callable(getattr(runnerlib, name))
    runnerlib.set_workflow_var("a", 1)
    assert runnerlib.workflow_vars()["a"] == "1"

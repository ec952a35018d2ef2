"""Steps: what is asked for, and what becomes of the answer."""
import os
import threading

import pytest
from slipway import NotInJob, SlipwayError, Step, StepFailed, parallel, run_step, sandbox

OK = {"step": 1, "outcome": "succeeded", "exit_code": 0, "reason": "", "outputs": {"v": "1"}, "artifacts": [{"name": "dist", "url": "artifact:r/dist"}]}
BAD = {"step": 1, "outcome": "failed", "exit_code": 7, "reason": "exit code 7", "outputs": {}, "artifacts": []}


def test_a_step_has_neither_run_nor_succeeded_before_it_ran(job):
    step = Step("test", command="make check")
    assert (step.success, step.exit_code, step.outcome, step.artifact_url) == (False, None, None, None)
    assert not job.asked


def test_a_step_knows_how_it_ended(job):
    job.answer("step", OK)
    step = Step("build", command="make")
    result = run_step(step)
    assert result["exit_code"] == 0 and result["outcome"] == "succeeded" and result["outputs"] == {"v": "1"}
    assert step.success and step.exit_code == 0 and step.artifact_url == "artifact:r/dist"


def test_a_failed_step_is_a_result_and_with_check_an_error(job):
    job.answer("step", BAD)
    assert run_step("test", "false")["exit_code"] == 7
    with pytest.raises(StepFailed, match="step `test` failed: exit code 7") as raised:
        run_step("test", "false", check=True)
    assert raised.value.result["exit_code"] == 7 and not raised.value.step.success


def test_a_script_is_run_by_a_shell_and_words_are_not(job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for step in (Step("a", "x | y"), Step("b", "x", shell="bash"), Step("c", ["x", tmp_path], timeout=1.5, env={"K": "ü"}, working_dir="d")):
        step.run()
    a, b, c = job.of("step")
    assert a["argv"] == ["sh", "-e", "-c", "x | y"] and b["argv"] == ["bash", "-euo", "pipefail", "-c", "x"]
    assert c["argv"] == ["x", str(tmp_path)] and c["timeout_ms"] == 1500 and c["env"]["K"] == "ü"
    assert a["working_dir"] == str(tmp_path) and c["working_dir"] == str(tmp_path / "d") and a["env"]["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize("make", [lambda: Step("a"), lambda: Step("a", "  "), lambda: Step("a", []), lambda: Step("a", "x", shell="fish"),
                                  lambda: Step("a", "x", timeout=0), lambda: Step("a", "x", timeout=-1)])
def test_what_cannot_be_run_is_refused_here(job, make):
    with pytest.raises(ValueError):
        make().run()
    assert not job.asked


def test_variables_are_texts(job):
    with pytest.raises(TypeError, match="PORT"):
        Step("a", "x", env={"PORT": 80}).run()


def test_what_is_no_text_in_the_environment_is_left_out(job, monkeypatch):
    monkeypatch.setitem(os.environ, "BINARY", b"\xff".decode(errors="surrogateescape"))
    run_step("a", "x")
    assert "BINARY" not in job.asked[0]["env"]


def test_several_run_at_once_and_answer_in_their_order(job):
    both = threading.Barrier(2, timeout=10)

    def answer(request):
        both.wait()
        return {**OK, "exit_code": int(request["name"])}
    job.answer("step", answer)
    assert [one["exit_code"] for one in parallel(Step("1", "x"), ("2", "y"))] == [1, 2]


def test_of_several_the_failed_one_is_told_when_all_have_ended(job):
    job.answer("step", lambda request: BAD if request["name"] == "a" else OK)
    steps = [Step("a", "x"), Step("b", "x")]
    with pytest.raises(StepFailed, match="`a`"):
        parallel(*steps, check=True)
    assert steps[1].success
    assert parallel() == []


def test_what_is_refused_says_why(job):
    job.refuse("step", "exhausted", "a job may run at most 1000 child steps")
    for call in (lambda: run_step("a", "x"), lambda: parallel(("a", "x"), ("b", "y"))):
        with pytest.raises(SlipwayError, match="at most 1000") as raised:
            call()
        assert raised.value.kind == "exhausted"


def test_outside_of_a_job_it_says_how_to_run(monkeypatch):
    monkeypatch.delenv("SLIPWAY_SOCKET", raising=False)
    with pytest.raises(NotInJob, match="slipway run .slipway/jobs/pipeline.yaml"):
        run_step("a", "true")
    monkeypatch.setenv("SLIPWAY_SANDBOX", "source")
    with pytest.raises(NotInJob, match="untrusted source"):
        run_step("a", "true")


def test_a_job_that_is_gone_or_talks_nonsense_is_an_error(job, monkeypatch):
    for answer in (b"", b"\x05\0\0\0", b"\x02\0\0\0xx", b"\xff\xff\xff\xff"):
        job.answers["step"] = lambda _request, answer=answer: answer
        with pytest.raises(SlipwayError):
            run_step("a", "x")
    monkeypatch.setenv("SLIPWAY_SOCKET", "/nonexistent")
    with pytest.raises(SlipwayError, match="does not listen"):
        run_step("a", "x")


def test_a_request_that_is_too_large_is_not_sent(job):
    with pytest.raises(SlipwayError, match="may hold"):
        run_step("a", "x" * (2 << 20))
    assert not job.asked


def test_source_runs_in_a_sandbox_of_its_own(job, monkeypatch, tmp_path):
    (tmp_path / "src/sub").mkdir(parents=True)
    monkeypatch.setenv("SLIPWAY_WORKSPACE", str(tmp_path))
    monkeypatch.chdir(tmp_path / "src/sub")
    job.answer("sandbox", {"outcome": "failed", "exit_code": 3, "reason": "exit code 3"})
    assert sandbox("make", outputs=["out"])["exit_code"] == 3
    asked = job.of("sandbox")[0]
    assert asked["working_dir"] == str(tmp_path / "src/sub") and asked["outputs"] == ["sub/out"]
    with pytest.raises(SlipwayError, match="exit code 3"):
        sandbox(["make"], check=True)

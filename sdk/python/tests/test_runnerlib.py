"""The command line of runnerlib: what it asks of slipway, and with which code it ends."""
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

SDK = Path(__file__).resolve().parents[1]
FAKE = """#!%s
import json, os, sys, time
asked = {"argv": sys.argv[1:]}
if sys.argv[1] == "run-job":
    with open(sys.argv[2]) as file: asked["file"] = json.load(file)
    asked["mode"] = os.stat(sys.argv[2]).st_mode & 0o777
with open(os.environ["ASKED"], "w") as file: json.dump(asked, file)
for line in json.loads(os.environ.get("EVENTS", "[]")): print(json.dumps(line), flush=True)
if os.environ.get("WAIT"):
    import signal
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    time.sleep(30)
sys.exit(int(os.environ.get("CODE", "0")))
"""


@pytest.fixture
def runnerlib(tmp_path):
    fake = tmp_path / "slipway"
    fake.write_text(FAKE % sys.executable)
    fake.chmod(0o755)

    class Runner:
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SDK), "SLIPWAY_PROGRAM": str(fake), "ASKED": str(tmp_path / "asked")}

        def start(self, *words, **env):
            return subprocess.Popen([sys.executable, "-m", "runnerlib.cli", *words], cwd=tmp_path, env=self.env | env, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def __call__(self, *words, **env):
            process = self.start(*words, **env)
            self.out, self.err = process.communicate(timeout=30)
            return process.returncode

        def asked(self):
            return json.loads((tmp_path / "asked").read_text())
    return Runner()


def output(text, stream="stdout"):
    return {"type": "output", "stream": stream, "text": text}


def test_a_run_is_a_job_file_that_nobody_else_reads(runnerlib):
    code = runnerlib("run", "--job-command", "make test", "--code-dir", "/job/src/app", "--runner-image", "debian:12", "--job-env", "A=b=c\n# x\nB=2",
                     "--source-type", "git", "--source-url", "https://h/r.git", "--source-ref", "main", "--secret-env-names", "TOKEN",
                     "--ci-source-url", "https://h/ci.git", TOKEN="sesame", REACTORCIDE_SECRET_VALUES_LIST="v1,v2")
    asked = runnerlib.asked()
    assert code == 0 and asked["mode"] == stat.S_IRUSR | stat.S_IWUSR
    assert asked["file"] == {"name": "runnerlib", "job_command": "make test", "job_env": {"A": "b=c", "B": "2"}, "code_dir": "/job/src/app",
                             "job_dir": "/job/src/app", "image": "debian:12", "source": {"type": "git", "url": "https://h/r.git", "ref": "main"},
                             "ci_code": {"url": "https://h/ci.git"},
                             "secrets": [{"name": "TOKEN", "value": "sesame"}, {"name": "REACTORCIDE_SECRET_VALUE_1", "value": "v1"},
                                         {"name": "REACTORCIDE_SECRET_VALUE_2", "value": "v2"}]}
    assert not {"sesame", "v1"} & set(asked["argv"]) and not os.path.exists(asked["argv"][1])


def test_the_command_line_is_over_the_environment(runnerlib):
    assert runnerlib("run", "--job-command", "a", REACTORCIDE_JOB_COMMAND="b", REACTORCIDE_CODE_DIR="/job/x") == 0
    assert runnerlib.asked()["file"]["job_command"] == "a" and runnerlib.asked()["file"]["code_dir"] == "/job/x"
    assert runnerlib("run", "--", "echo", "a b", REACTORCIDE_JOB_COMMAND="") == 0
    assert runnerlib.asked()["file"]["job_command"] == "echo 'a b'"


def test_the_words_of_today_s_workers_are_understood(runnerlib):
    assert runnerlib("run", "--git-url", "https://h/r.git", "--git-ref", "v1", "--job-command", "x") == 0
    assert runnerlib.asked()["file"]["source"] == {"type": "git", "url": "https://h/r.git", "ref": "v1"}


def test_a_workflow_is_run_or_one_job_of_it(runnerlib, tmp_path):
    (tmp_path / "ci.yaml").write_text("")
    assert runnerlib("run", "--workflow-file", "ci.yaml", "--job", "test", "--job-env", "A=1\nTOKEN=sesame", "--secret-env-names", "TOKEN",
                     "--runner-image", "host", "--work-dir", str(tmp_path)) == 0, runnerlib.err
    words = runnerlib.asked()["argv"]
    assert words[:10] == ["-C", str(tmp_path), "run", str(tmp_path / "ci.yaml"), "--job", "test", "--image", "host", "--env", "A=1"]
    assert words[10] == "--secret-file" and not any("sesame" in word for word in words)
    for wrong, what in ((["--workflow-file", "none.yaml"], "is not there"), (["--job", "test", "--job-command", "x"], "needs --workflow-file"),
                        (["--workflow-file", "ci.yaml", "--job-command", "x"], "give one of them"),
                        (["--workflow-file", "ci.yaml", "--secret-values-list", "v"], "by name")):
        assert runnerlib("run", *wrong) == 1 and what in runnerlib.err


def test_a_wrong_definition_is_told_with_its_place(runnerlib, tmp_path):
    (tmp_path / "job.yaml").write_text("{}")
    problem = {"type": "problem", "severity": "error", "file": "job.yaml", "line": 3, "column": 7, "message": "unknown key `comand`", "hint": "did you mean `command`?"}
    assert runnerlib("run-job", "job.yaml", EVENTS=json.dumps([problem]), CODE="2") == 1
    assert runnerlib.err.endswith("job.yaml:3:7: unknown key `comand` (did you mean `command`?)\n")


def test_a_run_without_source_has_none(runnerlib):
    assert runnerlib("run", "--job-command", "x", "--source-type", "none") == 0
    assert runnerlib.asked()["file"]["source"] == {"type": "none"}


@pytest.mark.parametrize("words, what", [
    ([], "a job command is needed"), (["--job-command", "x", "--code-dir", "src"], "below /job"), (["--job-command", "x", "--job-dir", "/etc"], "below /job"),
    (["--job-command", "x", "--code-dir", "/job/../etc"], "below /job"), (["--job-command", "x", "--job-env", "./job/../x"], ".."),
    (["--job-command", "x", "--job-env", "A"], "NAME=VALUE"), (["--job-command", "x", "--source-type", "git"], "needs --source-url"),
    (["--job-command", "x", "--secrets-file", "nothing"], "is not there"), (["--job-command", "x", "--source-type", "cvs"], "invalid choice")])
def test_a_wrong_configuration_ends_with_1(runnerlib, words, what):
    for command in ("run", "validate"):
        assert runnerlib(command, *words) == 1 and what in runnerlib.err
    assert not Path(runnerlib.env["ASKED"]).exists()


def test_the_exit_code_is_the_jobs(runnerlib):
    failed = [output("hi"), {"type": "job_finished", "outcome": "failed", "exit_code": 7, "reason": "exit code 7"}]
    assert runnerlib("run-job", "job.yaml") == 1  # no such file: the fake fails as slipway does
    (Path(runnerlib.env["ASKED"]).parent / "job.yaml").write_text("{}")
    assert runnerlib("run-job", "job.yaml", EVENTS=json.dumps(failed), CODE="1") == 7
    assert runnerlib("run-job", "job.yaml", CODE="2") == 1  # refused
    assert runnerlib("run-job", "job.yaml", "--dry-run", "--secrets-file", "s", "--work-dir", "w") == 0
    assert runnerlib.asked()["argv"][2:] == ["--secrets-file", "s", "--work-dir", "w", "--dry-run", "--no-input"]


def test_what_the_job_prints_is_printed_with_the_time(runnerlib):
    events = json.dumps([output("hi"), output("oh", "stderr")])
    assert runnerlib("run", "--job-command", "x", EVENTS=events) == 0
    assert runnerlib.out.endswith("+00:00 hi\n") and runnerlib.err.endswith("+00:00 oh\n")
    assert runnerlib("run", "--job-command", "x", EVENTS=events, LOG_FORMAT="json") == 0
    line = json.loads(runnerlib.out)
    assert line["stream"] == "stdout" and line["message"] == "hi" and line["timestamp"]
    assert runnerlib("run", LOG_FORMAT="json") == 1
    line = json.loads(runnerlib.err)
    assert line["level"] == "error" and line["component"] == "runnerlib" and "job command" in line["message"]


def test_sigterm_reaches_slipway_and_ends_with_143(runnerlib):
    process = runnerlib.start("run", "--job-command", "x", EVENTS=json.dumps([output("begun")]), WAIT="1")
    assert "begun" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 143


def test_the_configuration_shows_no_secret(runnerlib):
    assert runnerlib("config", "--job-command", "x", "--job-env", "TOKEN=sesame\nA=1", "--secret-env-names", "TOKEN", "--secret-values-list", "hush") == 0
    shown = json.loads(runnerlib.out)
    assert "sesame" not in runnerlib.out and "hush" not in runnerlib.out and shown["job_env"]["A"] == "1" and shown["code_dir"] == "/job/src"


def test_a_source_is_checked_out_copied_and_cleaned_up(runnerlib, tmp_path):
    source = tmp_path / "repository"
    source.mkdir()
    git = lambda *words: subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b", *words], cwd=source, check=True, capture_output=True, text=True).stdout
    git("init", "-q", "-b", "main")
    (source / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "one")
    git("update-ref", "refs/pull/7/head", "HEAD")
    for ref in ("main", "7", git("rev-parse", "HEAD").strip()):
        assert runnerlib("checkout", str(source), "--ref", ref) == 0, runnerlib.err
        assert (tmp_path / "job/src/a").read_text() == "1"
        assert runnerlib("cleanup", "-v") == 0 and not (tmp_path / "job").exists()
    bare = tmp_path / "upstream"
    subprocess.run(["git", "clone", "-q", "--bare", source, bare], check=True)
    assert runnerlib("checkout", str(source), REACTORCIDE_BASE_URL=str(bare), REACTORCIDE_BASE_REF="main") == 0, runnerlib.err
    assert subprocess.run(["git", "rev-parse", "-q", "upstream/main"], cwd=tmp_path / "job/src", capture_output=True).returncode == 0
    assert runnerlib("cleanup") == 0
    assert runnerlib("checkout", str(source), "-r", "nothing") == 1 and "nothing" in runnerlib.err
    assert runnerlib("checkout", str(source)) == 1 and "cleanup" in runnerlib.err
    assert runnerlib("cleanup") == 0 and runnerlib("copy", "repository") == 0 and (tmp_path / "job/src/a").exists()
    assert runnerlib("checkout", "--upload-pack=x") == 1 and runnerlib("copy", "nothing") == 1


def test_what_a_job_prints_does_not_steer_the_terminal(runnerlib):
    texts = ["\x1b[31mred\x1b[0m\ttab", "\x1b]0;title\x07", "a\rb\x9b2J\u202e"]
    assert runnerlib("run", "--job-command", "x", EVENTS=json.dumps([*map(output, texts), {"type": "notice", "message": "one\n\x1b[2Jtwo"}])) == 0
    assert [line.split(" ", 1)[1] for line in runnerlib.out.splitlines()] == [texts[0], r"\x1b]0;title\x07", r"a\rb\x9b2J\u202e"]
    assert [line.split(" ", 1)[1] for line in runnerlib.err.splitlines()] == ["one", r"\x1b[2Jtwo"]


def test_asking_for_jobs_outside_of_a_job_says_how(runnerlib):
    assert runnerlib("trigger", "deploy.yaml") == 1 and "SLIPWAY_SOCKET" in runnerlib.err
    assert runnerlib("git", "info") == 1 and runnerlib() == 1 and runnerlib("--help") == 0

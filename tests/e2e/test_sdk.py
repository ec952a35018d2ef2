"""Pipelines in Python and C++: steps below steps, state, what a sandbox has of the SDK."""
import json
import os
import shutil
import subprocess
import sys
import textwrap

import pytest
from harness import BACKENDS, BUILD, ROOT, SIGKILL, SIGTERM

SDK = ROOT / "sdk/python"
PYTHON = "/usr/bin/python3"  # of `image: host`
pytestmark = pytest.mark.skipif(not os.access(PYTHON, os.X_OK), reason=f"needs {PYTHON}")


def pipeline(project, script, **keys):
    project.write("pipeline.py", textwrap.dedent(script))
    return project.job(run=f"{PYTHON} pipeline.py", keys=keys)


def test_python_steps_are_steps_of_the_run(alone):
    ran = alone.run(pipeline(alone.project, """
        from slipway import Step, run_step, parallel, env, outputs
        print("first")
        build = Step("build", "echo built; slipway output version 1.2")
        assert not build.success and build.exit_code is None
        result = run_step(build, check=True)
        assert build.success and result == {**result, "exit_code": 0, "outcome": "succeeded", "outputs": {"version": "1.2"}}, result
        results = parallel(("unit", "echo unit; exit 3"), Step("lint", ["echo", "a  b"]))
        assert [one["exit_code"] for one in results] == [3, 0]
        print("last", env.event, env.branch)
        outputs["done"] = True
    """)).expect(0)
    assert ran.output(step="run") == "first\nlast push main\n"
    assert ran.output(step="build") == "built\n" and ran.output(step="lint") == "a  b\n"
    assert [(step["name"], step.get("parent")) for step in ran.job("job")["steps"]][:2] == [("run", None), ("build", 0)]
    assert ran.step("unit")["outcome"] == "failed" and ran.step("unit")["exit_code"] == 3
    assert {event["step"]: event.get("parent") for event in ran.of("step_started")} == {"run": None, "build": "run", "unit": "run", "lint": "run"}
    # ... and later too, each below its parent, with its figures and its own log.
    shown = alone("runs", "view", "latest").expect(0).out.splitlines()
    at = next(i for i, line in enumerate(shown) if " run " in line and line.startswith("    "))
    assert [line.split()[1] for line in shown[at:at + 4]][:2] == ["run", "build"] and shown[at + 1].startswith("      ")
    steps = json.loads(alone("runs", "view", "latest", "--json").expect(0).out)["jobs"][0]["attempts"][0]["steps"]
    assert {"build", "unit", "lint"} == {step["name"] for step in steps if step.get("parent") == 0}
    assert alone("logs", "latest", "job", "--step", "build").expect(0).out.strip() == "built"
    assert "unit" in alone("logs", "latest", "--failed").expect(0).out
    assert {step["name"]: step["memory_peak_bytes"] > 0 for step in steps}["build"]


def test_what_a_program_prints_stands_where_it_printed_it(slipway):
    file = pipeline(slipway.project, """
        from slipway import group, run_step
        print("before")
        run_step("build", "echo built")
        print("after")
        with group("folded"):
            print("inside")
        print("behind")
    """)
    assert [(event["step"], event["text"]) for event in slipway.run(file).expect(0).of("output")] == [
        ("run", "before"), ("build", "built"), ("run", "after"), ("run", "inside"), ("run", "behind")]


def test_a_checked_step_that_fails_fails_the_job(slipway):
    ran = slipway.run(pipeline(slipway.project, """
        from slipway import run_step
        run_step("test", "echo oh no; exit 7", check=True)
        print("never")
    """)).expect(1)
    assert "step `test` failed: exit code 7" in ran.output(step="run") and "never" not in ran.out
    assert ran.job("job")["outcome"] == "failed"


def test_a_step_has_a_timeout_of_its_own(slipway):
    ran = slipway.run(pipeline(slipway.project, """
        from slipway import Step
        slow = Step("slow", "sleep 60", timeout=0.2)
        slow.run()
        assert slow.outcome == "timed_out", slow.outcome
    """)).expect(0)
    assert ran.step("slow")["outcome"] == "timed_out"


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_command_runs_steps_too(slipway):
    ran = slipway.run(slipway.project.job(run="cd /tmp; A=1 slipway step 'the tests' -- sh -c 'echo $A $PWD; exit 3' || echo got $?")).expect(0)
    assert ran.output(step="the tests") == "1 /tmp\n"
    assert sorted(ran.output(step="run").splitlines()) == ["got 3", "slipway: step: exit code 3"]  # two streams


@pytest.mark.many_ids
def test_a_step_below_has_the_user_of_the_one_above(slipway):
    ran = slipway.run(slipway.project.job(steps=[("a", "slipway step below -- id -u")], keys={"run_as": "root"})).expect(0)
    assert ran.output(step="below") == "0\n"


def test_cancelling_ends_the_steps_below(alone):
    file = pipeline(alone.project, """
        from slipway import parallel
        parallel(("a", "echo begun; sleep 100"), ("b", "sleep 100"))
    """)
    running = alone.start("run", "--json", file)
    running.wait_for('"begun"')
    running.signal(SIGTERM)
    ran = running.ended()
    assert ran.code == 143 and {ran.step(name)["outcome"] for name in "ab"} == {"cancelled"}


def test_artifacts_of_a_step_have_a_url_when_it_has_ended(alone):
    ran = alone.run(pipeline(alone.project, """
        from slipway import Step
        build = Step("build", "echo x > app; slipway artifact app app; echo y > app")
        assert build.artifact_url is None
        build.run(check=True)
        print(build.artifact_url)
    """)).expect(0)
    assert ran.output(step="run") == f"artifact:{ran.finished['run']}/app\n"


def test_secrets_are_masked_and_stand_on_no_command_line(slipway):
    ran = slipway.run(pipeline(slipway.project, """
        from slipway import run_step, mask, secret
        mask("late-sesame-9")
        run_step(secret("TOKEN"), "echo $TOKEN late-sesame-9; cat /proc/self/cmdline")
        print(secret("TOKEN"))
    """, secrets=["TOKEN"]), "--secret", "TOKEN", env={"TOKEN": "open-sesame-1"}).expect(0)
    assert "sesame" not in ran.out + ran.err


def test_what_a_hostile_program_sends_ends_only_itself(slipway):
    ran = slipway.run(pipeline(slipway.project, r"""
        import os, socket
        from slipway import run_step, SlipwayError
        def send(data):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(os.environ["SLIPWAY_SOCKET"])
                s.sendall(data)
                s.settimeout(2)
                try: return s.recv(1000)
                except OSError: return b""
        frame = lambda text: len(text).to_bytes(4, "little") + text
        for text in (b"", b"x", b"[]", b"{}", b'{"do":"step"}', b'{"do":"step","name":"a","argv":[]}', b'{"do":"step","name":"a\\n","argv":["x"]}',
                     b'{"do":"step","name":"a","argv":["x\\u0000"]}', b'{"do":"step","name":"a","argv":["x"],"env":{"A=B":"1"}}',
                     b'{"do":"step","name":"a","argv":["x"],"working_dir":".."}', b'{"do":"step","name":"a","argv":["x"],"timeout_ms":-1}',
                     b'{"do":"step","name":"' + b"n" * 101 + b'","argv":["x"]}'):
            assert b'"ok":false' in send(frame(text)), text
        send(b"\xff\xff\xff\xff")
        # One that is asked for and left is ended.
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.environ["SLIPWAY_SOCKET"])
            s.sendall(frame(b'{"do":"step","name":"left","argv":["sleep","100"]}'))
        assert run_step("dir", ["pwd"], working_dir="/nonexistent")["exit_code"] == 127
        assert run_step("esc", ["pwd"], working_dir="/proc/1/root")["outcome"] == "failed"
        assert run_step("fine", "true")["exit_code"] == 0
    """)).expect(0)
    assert ran.step("left")["outcome"] == "cancelled"


def test_the_number_of_steps_at_once_has_a_limit(slipway):
    ran = slipway.run(pipeline(slipway.project, """
        import threading
        from slipway import Step, SlipwayError
        refused, lock = [], threading.Lock()
        def one(i):
            try: Step(f"s{i}", "sleep 2").run()
            except SlipwayError as error:
                with lock: refused.append(error.kind)
        threads = [threading.Thread(target=one, args=(i,)) for i in range(70)]
        [t.start() for t in threads]; [t.join() for t in threads]
        print(sorted(set(refused)), len(refused))
    """)).expect(0)
    assert ran.output(step="run") == "['exhausted'] 6\n"


# --- state ---

def test_state_is_that_of_all_runs_of_the_project(alone):
    alone.project.workflow(json.dumps({"workflow": {"name": "slow", "jobs": [
        {"name": "deploy", "image": "host", "network": "none", "environment": "prod-{{ event }}", "run": "echo begun; sleep 100"}]}}), "slow")
    ask = pipeline(alone.project, """
        from slipway import is_job_running, check_deploy_in_progress, get_job_result
        print(is_job_running("deploy"), is_job_running("job"), check_deploy_in_progress("prod-push"), check_deploy_in_progress("test"))
        result = get_job_result("deploy")
        print(result and (result["outcome"], result["exit_code"]))
    """, environment="prod-push")
    assert alone.run(ask).expect(0).output() == "False False False False\nNone\n"
    running = alone.start("run", "--json", ".slipway/workflows/slow.yaml")
    running.wait_for('"begun"')
    assert alone.run(ask).expect(0).output() == "True False True False\nNone\n"
    running.signal(SIGKILL)
    running.process.wait()
    # What has no exit code of its own is not taken for success.
    assert alone.run(ask).expect(0).output() == "False False False False\n('infra_failed', 5)\n"


def test_a_result_is_the_newest_and_of_the_own_run_first(alone):
    def jobs(text, *more):
        return alone.project.workflow(json.dumps({"workflow": {"name": "ci", "defaults": {"image": "host", "network": "none"}, "jobs": [
            {"name": "build", "run": text, "outputs": ["v"]}, *more]}}))
    alone.run(jobs("slipway output v old; exit 4")).expect(1)
    alone.project.write("ask.py", "from slipway import get_job_result as r\nprint(r('build')['exit_code'], r('build')['outputs'])\n")
    ask = {"name": "ask", "run": f"{PYTHON} ask.py"}
    assert alone.run(jobs("sleep 2", ask)).expect(0).output(job="ask") == "4 {'v': 'old'}\n"
    assert alone.run(jobs("slipway output v new", ask | {"depends_on": ["build"]})).expect(0).output(job="ask") == "0 {'v': 'new'}\n"


def test_triggers_are_told_as_next(slipway):
    ran = slipway.run(pipeline(slipway.project, """
        from runnerlib.workflow import Job, Step, trigger_jobs
        import runnerlib
        test = Step("test", command="true")
        runnerlib.run_step(test)
        if test.success:
            trigger_jobs([Job("lint", command="true"), Job("deploy", env={"A": "1"}, command="true", depends_on=["lint"])])
    """)).expect(0)
    assert {event["job"] for event in ran.of("trigger")} == {"lint", "deploy"}


# --- what a sandbox has ---

def test_the_sdk_is_read_only_and_behind_the_jobs_own_modules(slipway):
    slipway.project.write("own/helper.py", "print('own helper')\n")
    ran = slipway.run(slipway.project.job(run=f"""
        echo $PYTHONPATH
        touch /job/.slipway/python/x 2>/dev/null || echo read only
        test -r /job/.slipway/include/slipway.hpp && echo header
        {PYTHON} -c 'import helper, slipway; print(slipway.__file__)'
    """, keys={"env": {"PYTHONPATH": "/job/src/own"}})).expect(0)
    assert ran.output() == "/job/src/own:/job/.slipway/python\nread only\nheader\nown helper\n/job/.slipway/python/slipway/__init__.py\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="a user id for the source needs root")
def test_source_has_no_socket_to_speak_to(slipway):
    ran = slipway.run(slipway.project.job(steps=[("a", f"slipway sandbox -- sh -c 'echo [$SLIPWAY_SOCKET]; PYTHONPATH=/job/.slipway/python {PYTHON} -c \"import slipway; slipway.run_step(1,2)\"' || true")]))
    assert "[]\n" in ran.output() and "outcome" not in ran.output()


@pytest.mark.parametrize("backend", ["docker"])
def test_docker_has_the_sdk_too(slipway):
    ran = slipway.run(slipway.project.job(run="echo $PYTHONPATH; ls /job/.slipway/python; touch /job/.slipway/x || echo read only")).expect(0)
    assert ran.output().startswith("/job/.slipway/python\n") and "slipway\n" in ran.output() and "read only\n" in ran.output()


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
def test_the_cpp_client_speaks_to_its_job(slipway):
    slipway.project.write("pipeline.cpp", (ROOT / "examples/cpp-pipeline/project/pipeline.cpp").read_text())
    ran = slipway.run(slipway.project.job(run="g++ -std=c++17 -Wall -Wextra -Werror -I/job/.slipway/include pipeline.cpp -o /tmp/p -pthread && /tmp/p")).expect(0)
    assert ran.output(step="unit") == "unit tests of $ü\"\\\n" and ran.step("lint")["exit_code"] == 3
    assert ran.output(step="run").splitlines()[-1] == "lint failed, version 1.2.3, deploy was never run"
    assert ran.job("job")["outcome"] == "succeeded"


# --- the example, and outside of a job ---

@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_the_example_pipeline_runs(slipway):
    shutil.copytree(ROOT / "examples/python-pipeline/project", slipway.project.path, dirs_exist_ok=True)
    file = slipway.project.workflow((ROOT / "examples/python-pipeline/workflow.yaml").read_text())
    slipway.project.commit()
    ran = slipway.run(file).expect(0)
    assert {"build", "unit", "words of a file", "package"} <= {step["name"] for step in ran.job("pipeline")["steps"]}
    assert ran.job("pipeline")["outcome"] == "succeeded"


def test_outside_of_a_job_it_says_how_to_run(tmp_path):
    done = subprocess.run([sys.executable, "-c", "import slipway; slipway.run_step('a', 'true')"], env={"PYTHONPATH": str(SDK), "PATH": os.environ["PATH"]},
                          capture_output=True, text=True)
    assert done.returncode == 1 and "slipway run .slipway/jobs/pipeline.yaml" in done.stderr


def test_the_package_can_be_installed(tmp_path):
    """As `pip install ./sdk/python` does, but for what it would fetch."""
    source = tmp_path / "sdk"
    shutil.copytree(SDK, source, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    venv = tmp_path / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--system-site-packages", venv], check=True)  # Debian's has setuptools
    done = subprocess.run([venv / "bin/pip", "install", "-q", "--no-index", "--no-build-isolation", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([venv / "bin/runnerlib", "--help"], capture_output=True).returncode == 0
    assert subprocess.run([venv / "bin/python", "-c", "import slipway, runnerlib"], cwd=tmp_path).returncode == 0


def test_runnerlib_s_command_line_runs_jobs(slipway, tmp_path):
    environment = slipway.environment | {"PYTHONPATH": str(SDK), "SLIPWAY_PROGRAM": str(BUILD / "slipway"), "TOKEN": "open-sesame-1"}

    def runnerlib(*words):
        return subprocess.run([sys.executable, "-m", "runnerlib.cli", *words], cwd=slipway.project.path, env=environment, capture_output=True, text=True)
    done = runnerlib("run", "--job-command", 'echo "hi $A $TOKEN"; exit 7', "--runner-image", "host", "--job-env", "A=b", "--secret-env-names", "TOKEN")
    assert done.returncode == 7, done.stdout + done.stderr
    assert any(line.endswith(" hi b ***") for line in done.stdout.splitlines()), done.stdout
    slipway.project.write("job.yaml", "name: one\nimage: host\njob_command: echo from a file\n")
    done = runnerlib("run-job", "job.yaml")
    assert done.returncode == 0 and "from a file" in done.stdout, done.stdout + done.stderr
    assert runnerlib("run-job", "nothing.yaml").returncode == 1
    slipway.project.write(".slipway/workflows/ci.yaml", """
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: one, run: echo one}
            - {name: two, secrets: [TOKEN], env: {A: x}, run: 'echo "two $A $TOKEN"; exit 5'}
        """)
    done = runnerlib("run", "--workflow-file", ".slipway/workflows/ci.yaml", "--job", "two", "--job-env", "A=b", "--secret-env-names", "TOKEN")
    assert done.returncode == 5 and " two b ***\n" in done.stdout and " one" not in done.stdout, done.stdout + done.stderr


def test_runnerlib_s_eval_writes_what_an_event_would_start(slipway, tmp_path):
    slipway.project.write(".reactorcide/workflows/pr.yaml", """
        name: PR
        on: {events: [pull_request_opened], branches: [main]}
        jobs:
          build: {image: host, command: make all}
        """)
    environment = slipway.environment | {"PYTHONPATH": str(SDK), "SLIPWAY_PROGRAM": str(BUILD / "slipway")}

    def evaluated(*words, **more):
        return subprocess.run([sys.executable, "-m", "runnerlib.cli", "eval", "--ci-source-dir", slipway.project.path, *words],
                              env=environment | more, capture_output=True, text=True)
    opened = ("--event-type", "pull_request_opened", "--branch", "topic", "--pr-base-ref", "main", "--pr-number", "7", "--is-fork-pr")
    done = evaluated(*opened, REACTORCIDE_TRIGGERS_FILE=str(tmp_path / "asked.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    trigger = json.loads((tmp_path / "asked.json").read_text())
    assert trigger["trigger_type"] == "runnerlib_eval" and [job["job_name"] for job in trigger["workflows"][0]["jobs"]] == ["build"], trigger
    done = evaluated("--event-type", "push", "--branch", "main", "--triggers-file", tmp_path / "pushed.json")
    assert done.returncode == 0 and json.loads((tmp_path / "pushed.json").read_text())["workflows"] == []
    assert evaluated("--branch", "main").returncode == 1
    done = evaluated(*opened, "--triggers-file", tmp_path / "no/such/directory")
    assert done.returncode == 1 and "--triggers-file" in done.stderr


def test_a_job_that_ends_while_a_child_steps_artifacts_are_stored_ends(slipway):
    """What the job gathers itself (tests, artifacts) waits for what is being packed, and does not take its place."""
    run = """
        slipway step pack -- sh -c 'for i in 1 2 3 4; do head -c 20000000 /dev/urandom >b$i; slipway artifact b$i b$i; done; touch made' &
        while [ ! -e made ]; do sleep 0.02; done
        sleep 0.1
        echo '<testsuite><testcase name="t"/></testsuite>' >r.xml; echo x >own.txt
        """
    ran = slipway.run(slipway.project.job(run=run, keys={"tests": ["r.xml"], "artifacts": [{"name": "own", "paths": ["own.txt"]}]})).expect(0)
    assert ran.finished["tests"]["passed"] == 1 and "own" in {artifact["name"] for artifact in ran.of("artifact")}, ran

"""Looking into a job that runs: `--break`, `attach` through a real terminal, `continue`, `retry`, `abort`."""
import json
import shlex
import subprocess
import time

import pytest
from signal import SIGHUP

from harness import BACKENDS, SIGKILL, SIGTERM, wait_until
from terminal import TERMINAL, Person

PROMPT = r"[$#] "
SECRET = "s3cr3t-of-the-debugging-tests-0815"


def two_steps(project, first="echo first", second="echo second; exit 3", **keys):
    return project.job(steps=[("build", first), ("test", second), ("after", "echo went on")], keys=keys)


def live(slipway):
    return [json.loads(line) for line in slipway("attach", "--list", "--json").expect(0).out.splitlines()]


def held(slipway, *arguments, **options):
    """A run that waits at a break."""
    running = slipway.start("run", "--json", *arguments, **options)
    running.wait_for(r'"code":"held"')
    wait_until(lambda: [one for one in live(slipway) if one["held"]], what="the hold")
    return running


def sleeping(slipway):
    """A run whose job has begun, and ends by a signal."""
    running = slipway.start("run", "--json", slipway.project.job(run="echo up; sleep 50"))
    running.wait_for('"text":"up"')
    return running


def shell_of(slipway, person):
    """The process id, in the sandbox, of the shell that they are in."""
    person.type("echo $$ >shell\r")
    return wait_until(lambda: slipway("attach", "--", "cat", "shell").out.strip())


def reasons(ran):
    return ran.of("job_finished")[-1]["reason"]


def tries(ran, step):
    return max(event["try"] for event in ran.of("step_started") if event["step"] == step)


# --- breaks ---

@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failing_step_is_held_and_its_job_goes_on_as_it_would_have(alone):
    running = held(alone, "--break", "on-failure", two_steps(alone.project))
    running.wait_for("held after step `test`: exit code 3; for [^;]* at most")
    running.wait_for("slipway continue")
    running.wait_for("slipway retry")
    assert [(one["job"], one["held"], one["step"], one["can_retry"]) for one in live(alone)] == [("job", True, "test", True)]
    alone("continue").expect(0)
    ran = running.ended().expect(1)
    assert ran.job("job")["outcome"] == "failed" and ran.step("after")["outcome"] == "skipped"
    assert "went on" not in ran.output()
    assert "no job runs now" in alone("attach", "--", "true").err


def test_the_step_is_run_again_in_the_same_sandbox(alone):
    running = held(alone, "--break", "on-failure", two_steps(alone.project, "echo 1 >made", "cat made; test -e mended"))
    alone("attach", "--", "touch", "mended").expect(0)
    alone("retry").expect(0)
    ran = running.ended().expect(0)
    assert ran.step("test")["outcome"] == "succeeded" and tries(ran, "test") == 2
    assert ran.output(step="test") == "1\n1\n" and "went on" in ran.output(step="after")


def test_a_step_that_fails_again_is_held_again(alone):
    running = held(alone, "--break", "on-failure", two_steps(alone.project))
    alone("retry").expect(0)
    wait_until(lambda: running.text().count("held after step `test`") >= 4, what="the second hold")  # journal and view, twice
    wait_until(lambda: alone("retry").code == 0, what="the next retry")
    wait_until(lambda: running.text().count("held after step `test`") >= 6, what="the third hold")
    wait_until(lambda: alone("continue").code == 0, what="its end")
    ran = running.ended().expect(1)
    assert tries(ran, "test") == 3


def test_a_break_before_a_step_comes_before_it(alone):
    running = held(alone, "--break", "before:test", two_steps(alone.project, second="echo second"))
    assert "second" not in [event["text"] for event in map(json.loads, running.text().splitlines()) if event["type"] == "output"]
    refused = alone("retry")
    assert refused.code != 0 and "has not run yet" in refused.err
    alone("continue").expect(0)
    assert "second" in running.ended().expect(0).output()


def test_a_break_after_a_step_comes_also_when_it_succeeded(alone):
    running = held(alone, "--break", "build", two_steps(alone.project, second="echo second"))
    assert "held after step `build`: it succeeded" in running.text()
    alone("continue").expect(0)
    running.ended().expect(0)


def test_abort_ends_the_job(alone):
    running = held(alone, "--break", "on-failure", two_steps(alone.project))
    alone("abort").expect(0)
    ran = running.ended().expect(3)
    assert ran.job("job")["outcome"] == "cancelled" and "aborted while it was held" in reasons(ran)


def test_nobody_comes_within_the_limit(alone):
    ran = alone.run("--break", "on-failure", "--hold", "300ms", two_steps(alone.project)).expect(3)
    assert "it was held for 300 ms, and nobody said how it goes on" in reasons(ran)


def test_the_time_of_a_hold_does_not_count_for_the_jobs_timeouts(alone):
    running = held(alone, "--break", "before:test", two_steps(alone.project, second="echo second", timeout="2s", no_output_timeout="2s"))
    time.sleep(3)  # longer than the job may take
    alone("continue").expect(0)
    running.ended().expect(0)


def test_an_allowed_failure_and_one_that_is_tried_again_are_not_held(alone):
    file = alone.project.job(steps=[("x", "true")], keys={"steps": [
        {"name": "lint", "run": "exit 1", "continue_on_error": True},
        {"name": "flaky", "run": "test -e again || { touch again; exit 1; }", "retry": {"attempts": 1}}]})
    alone.run("--break", "on-failure", file).expect(0)


def test_a_step_that_no_job_has_is_a_slip(alone):
    ran = alone("run", "--break", "before:tset", two_steps(alone.project)).expect(2)
    assert "no job of this run has a step `tset`; did you mean `test`?" in ran.err


@pytest.mark.parametrize("name", ["before:hook pre_container", "plugins cleanup", "on_error"])
def test_hooks_and_plugins_cannot_be_named(alone, name):
    ran = alone("run", "--break", name, two_steps(alone.project)).expect(2)
    assert "is no step: a hook or a plugin is only held where it fails, with on-failure" in ran.err


def test_ctrl_c_ends_a_held_job(alone):
    running = held(alone, "--break", "on-failure", two_steps(alone.project))
    running.signal(SIGTERM)
    assert running.ended(20).expect(143).job("job")["outcome"] == "cancelled"


# --- attach, without a terminal ---

@pytest.mark.parametrize("backend", BACKENDS)
def test_a_command_passes_input_output_and_exit_code_through(alone):
    file = alone.project.job(run="export INSIDE=1; echo up; sleep 40", keys={"secrets": ["TOKEN"]})
    running = alone.start("run", "--json", "--secret", "TOKEN", file, env={"TOKEN": SECRET})
    running.wait_for('"text":"up"')
    ran = alone("attach", "--", "sh", "-c", "cat; echo err >&2; pwd; exit 7", stdin="typed\n")
    assert (ran.code, ran.out.splitlines(), ran.err) == (7, ["typed", "/job/src"], "err\n")
    big = alone("attach", "--", "sh", "-c", "wc -c; head -c 3000000 /dev/zero", stdin="x" * 2_000_000).expect(0)
    assert big.out.startswith("2000000") and len(big.out) == 3_000_000 + len("2000000\n")
    assert alone("attach", "--", "no-such-program").code == 127
    half = "x" * (200 - len("sh -c : ") - 8)  # what is told of a command ends within the secret
    alone("attach", "--", "sh", "-c", ": " + half + SECRET).expect(0)
    running.signal(SIGTERM)
    journal = running.ended().expect(143)
    assert SECRET[:8] not in journal.out
    notices = [event["message"] for event in journal.of("notice") if event["code"] == "attached"]
    assert any("someone attached: sh -c" in message for message in notices)
    assert "typed" not in journal.out.replace("someone attached", "")


def test_it_has_the_steps_environment_secrets_user_and_limits(alone):
    file = alone.project.job(steps=[("one", "id -u >/tmp/user; env | sort >/tmp/env; grep pids /proc/self/cgroup >/tmp/group || true; exit 1")],
                             keys={"secrets": ["TOKEN"], "env": {"COLOUR": "blue"}})
    running = held(alone, "--break", "on-failure", "--secret", "TOKEN", file, env={"TOKEN": SECRET})
    out = alone("attach", "--", "sh", "-c", "test $(id -u) = $(cat /tmp/user); echo $TOKEN $COLOUR $SLIPWAY_STEP; env | sort | diff - /tmp/env").out
    assert out.splitlines()[0] == f"{SECRET} blue one"
    differing = {line[2:].split("=")[0] for line in out.splitlines()[1:] if line[:1] in "<>"}
    assert differing <= {"SLIPWAY_SOCKET", "PWD", "OLDPWD", "_", "SHLVL"}, out
    alone("continue").expect(0)
    ran = running.ended().expect(1)
    assert SECRET not in ran.out  # what attach prints is its user's; the run's output stays masked
    for journal in (alone.state / "runs").rglob("*"):
        assert not journal.is_file() or SECRET.encode() not in journal.read_bytes()


def test_which_job_is_asked_where_several_run(alone):
    file = alone.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: left, run: echo up; sleep 40}
            - {name: right, run: echo up; sleep 40}
        """)
    running = alone.start("run", "--json", "-j2", file)
    wait_until(lambda: running.text().count('"text":"up"') == 2)
    assert [set(one) for one in live(alone)] == 2 * [{"run", "number", "workflow", "job", "held"}]
    which = alone("attach", "--", "true").expect(2).err
    assert "several jobs run now: which one?" in which and which.count("slipway attach ") == 2
    assert alone("attach", "left", "--", "sh", "-c", "echo $SLIPWAY_JOB").expect(0).out == "left\n"
    run = json.loads(running.text().splitlines()[0])["run"]
    for name in (run, run[:20], "latest", "1"):
        assert alone("attach", name, "right", "--", "sh", "-c", "echo $SLIPWAY_JOB").expect(0).out == "right\n"
    gone = alone("attach", "up", "--", "true").expect(2).err
    assert f"`up` does not run now; what does: `slipway attach {run} left`, `slipway attach {run} right`\n" in gone
    assert {"left", "right", run} <= set(alone("completion", "--words", "live").expect(0).out.split())
    refused = alone("continue", "left")
    assert refused.code != 0 and "the job is not held" in refused.err


def test_a_job_that_is_named_like_a_command_is_completed_and_not_run(alone):
    ran = alone.project.path / "RAN"
    value = f"$(touch {ran})"
    running = alone.start("run", "--json", alone.project.job(run="echo up; sleep 60", keys={"matrix": {"axes": {"a": [value]}}}))
    running.wait_for('"text":"up"')
    asked = "COMP_WORDS=(slipway attach 'job ('); COMP_CWORD=2; _slipway; printf '%s\\n' \"${COMPREPLY[@]}\"; eval \"printf %s ${COMPREPLY[0]}\""
    program = f"{alone('completion', 'bash').expect(0).out}\nslipway() {{ {shlex.join(map(str, alone.command))} \"$@\"; }}\n{asked}"
    told = subprocess.run(["bash", "-c", program], cwd=alone.project.path, env=alone.environment, capture_output=True, text=True, timeout=30)
    assert not ran.exists() and told.stderr == ""
    assert told.stdout.splitlines() == [told.stdout.splitlines()[0], f"job ({value})"]  # as typed, and as the shell reads that
    running.signal(SIGTERM)
    running.ended()


def test_steps_are_completed(alone):
    two_steps(alone.project)
    assert {"on-failure", "build", "before:build"} <= set(alone("completion", "--words", "breaks").expect(0).out.split())
    assert "before:build" not in alone("completion", "--words", "steps").expect(0).out


def test_a_shell_needs_a_terminal(alone):
    ran = alone("attach").expect(2)
    assert "say what to run behind" in ran.err


# --- a real terminal ---

@pytest.mark.parametrize("backend", BACKENDS)
def test_a_shell_in_the_sandbox(alone):
    running = held(alone, "--break", "on-failure", two_steps(alone.project))
    with Person(alone, "attach", rows=33, columns=111) as person:
        person.wait_for("nothing here is masked or recorded")
        person.wait_for(PROMPT)
        person.type("stty size; echo term=$TERM; tty; pwd; echo step=$SLIPWAY_STEP\r")
        person.wait_for("33 111")
        person.wait_for(f"term={TERMINAL}")
        person.wait_for("/dev/pts/")
        person.wait_for("/job/src")
        person.wait_for("step=test")
        # The window changes, and the program inside hears of it.
        person.type("sh -c 'trap \"stty size\" WINCH; echo rea\"\"dy; while :; do sleep 0.05; done'\r")
        person.wait_for("ready")
        person.resize(44, 77)
        person.process.send_signal(28)  # SIGWINCH: the kernel sends it to who has the terminal as its own
        person.wait_for("44 77")
        # Ctrl-C is the program's, not ours.
        person.type("\x03")
        person.wait_for(PROMPT)
        person.type("sleep 100\r")
        person.wait_for("sleep 100")
        time.sleep(0.2)
        person.type("\x03")
        person.wait_for(PROMPT)
        person.type("slipway retry\r")
        wait_until(lambda: running.text().count("held after step `test`") >= 4, what="the second hold")
        person.type("exit 9\r")
        assert person.ended(10) == 9 and person.is_sane()
    alone("continue").expect(0)
    running.ended().expect(1)


def test_two_are_there_at_once(alone):
    running = held(alone, "--break", "before:test", two_steps(alone.project, second="cat from-the-other"))
    with Person(alone, "attach") as one, Person(alone, "attach", rows=20, columns=60) as other:
        for person in (one, other):
            person.wait_for(PROMPT)
        other.type("stty size; echo hello >from-the-other\r")
        other.wait_for("20 60")
        one.type("stty size; cat from-the-other; tty\r")
        one.wait_for("30 100")
        one.wait_for("hello")
        other.type("exit\r")
        assert other.ended(10) == 0
        one.type("echo still ''here\r")
        one.wait_for("still here")
        one.type("slipway continue; exit\r")
        assert one.ended(10) in (0, 129)  # the job may end first, and hang up
    assert "hello" in running.ended().expect(0).output(step="test")


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_sandbox_ends_while_someone_is_attached(alone):
    running = alone.start("run", "--json", alone.project.job(run="echo up; until test -e stop; do sleep 0.05; done"))
    running.wait_for('"text":"up"')
    with Person(alone, "attach") as person:
        person.wait_for(PROMPT)
        person.type("printf '\\033[?1049h'; echo in''side; touch stop; sleep 60\r")
        person.wait_for("inside")
        code = person.ended(15)
        assert code != 0 and "slipway: the job has ended" in person.screen and person.is_sane()
        assert "\x1b[?1049l" in person.screen  # left by nobody else
    running.ended().expect(0)


def test_whoever_ran_the_job_is_killed_while_someone_is_attached(alone):
    running = sleeping(alone)
    with Person(alone, "attach") as person:
        person.wait_for(PROMPT)
        running.signal(SIGKILL)
        assert person.ended(10) == 5 and "the sandbox is gone" in person.screen and person.is_sane()


@pytest.mark.parametrize("signal, code", [(SIGTERM, 143), (SIGHUP, 129)])
def test_a_signal_leaves_the_terminal_as_it_was(alone, signal, code):
    running = sleeping(alone)
    with Person(alone, "attach") as person:
        person.wait_for(PROMPT)
        pid = shell_of(alone, person)
        person.process.send_signal(signal)
        assert person.ended(10) == code and person.is_sane()
        wait_until(lambda: alone("attach", "--", "test", "-d", f"/proc/{pid}").code != 0, what="the end of its shell")
    assert running.process.poll() is None
    running.signal(SIGTERM)
    running.ended().expect(143)


def test_a_closed_window_ends_its_shell_and_nothing_else(alone):
    running = sleeping(alone)
    with Person(alone, "attach") as person:
        person.wait_for(PROMPT)
        pid = shell_of(alone, person)
        person.close()
        person.ended(10)
    wait_until(lambda: alone("attach", "--", "test", "-d", f"/proc/{pid}").code != 0, what="the end of its shell")
    running.signal(SIGTERM)
    running.ended().expect(143)


# --- who may not ---

def test_no_step_says_how_a_held_job_goes_on(alone):
    file = two_steps(alone.project, first="slipway continue; echo $?; slipway abort; echo $?")
    ran = alone.run(file).expect(1)
    assert ran.output(step="build").splitlines()[-1] != "0" and "only who is attached" in ran.output(step="build")


def test_the_socket_is_its_users_alone_and_hears_nobody_from_another_mount_namespace(alone):
    running = held(alone, "--break", "on-failure", two_steps(alone.project))
    path, = (alone.state / "owners").glob("*.sock")
    assert (alone.state / "owners").stat().st_mode & 0o077 == 0
    ask = f"""
import socket, struct
s = socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); s.settimeout(5)
t = b'{{"do":"list"}}'
try: s.sendall(struct.pack('<II', len(t), 0) + t)
except OSError: pass
try: print(len(s.recv(4096)))
except OSError: print(0)
"""
    def heard(*wrapper):
        return int(subprocess.run([*wrapper, "python3", "-c", ask], capture_output=True, text=True, check=True).stdout)
    assert heard() > 0
    assert heard("unshare", "--mount") == 0
    alone("continue").expect(0)
    running.ended().expect(1)
    assert not path.exists()


def test_a_socket_of_the_dead_is_removed(alone):
    running = held(alone, "--break", "on-failure", two_steps(alone.project))
    running.signal(SIGKILL)
    running.process.wait()
    assert list((alone.state / "owners").glob("*.sock"))
    assert "no job runs now" in alone("continue").err
    alone.run(alone.project.job(run="true")).expect(0)
    assert not list((alone.state / "owners").glob("*.sock"))

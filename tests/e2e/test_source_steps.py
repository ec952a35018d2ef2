"""Untrusted source beside job code: what a user writes, and what comes back."""
import io
import os
import shutil
import tarfile
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
    assert "not found" in ran.out and ran.step("no shell")["exit_code"] == 127, ran
    ran = slipway.run(job(slipway.project, ("source no program", "true", {"shell": "/etc/passwd"}))).expect(1)
    assert "cannot be executed" in ran.out and ran.step("no program")["exit_code"] == 126, ran


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


def test_output_can_be_opened_by_its_name(slipway):
    script = "echo out > /dev/stdout; echo err > /dev/stderr; echo third | tee /dev/stderr >/dev/null"
    ran = slipway.run(job(slipway.project, ("runner", script), ("root", script, {"run_as": "root"}), ("source source", script), ("command", f"slipway sandbox -- sh -c '{script}'"))).expect(0)
    for step in ("runner", "root", "source", "command"):
        assert sorted(ran.output(step=step).split()) == ["err", "out", "third"], (step, ran)


def test_source_is_told_that_it_has_no_commands_of_the_job(slipway):
    ran = slipway.run(job(slipway.project, ("source build", "slipway output a b 2>&1 || true"))).expect(0)
    assert "source has no commands of its job" in ran.output()


# --- slipway sandbox ---

def test_an_exit_code_that_the_script_handles_is_no_warning(slipway):
    file = job(slipway.project, ("ask", "if slipway sandbox -- false; then echo yes; else echo no; fi; slipway sandbox -- nosuchprog || test $? = 127"))
    ran = slipway.run(file).expect(0)
    assert not ran.of("notice") and "its program `nosuchprog` was not found in this image" in ran.out, ran
    assert "set `shell`" not in ran.out
    assert "⚠" not in slipway("run", file).expect(0).out


def test_a_command_shares_a_directory_and_hands_a_file_over(slipway):
    ran = slipway.run(job(slipway.project, ("build", """
        exec 2>&1
        mkdir /job/share; echo of job > /job/share/a
        slipway sandbox --share /job/share --output out/app -- sh -c 'cat /job/share/a; echo b > /job/share/b; mkdir out; echo app > out/app'
        cat /job/from-source/out/app /job/share/b; stat -c "%U %a" /job/from-source/out/app /job/share/b
        ls out || echo the source here is as it was""")), timeout=30).expect(0)
    assert ran.output().splitlines()[:5] == ["of job", "app", "b", "runner 644", "runner 644"], ran
    assert ran.output().endswith("the source here is as it was\n")


def test_a_command_ends_as_what_it_ran(slipway):
    ran = slipway.run(job(slipway.project, ("build", """
        code() { c=0; "$@" || c=$?; echo "code $c"; }
        code slipway sandbox -- true
        code slipway sandbox -- sh -c 'exit 3'
        code slipway sandbox -- nosuchprogram
        code slipway sandbox -- sh -c 'kill -9 $$'
        code slipway sandbox --output missing -- true
        code slipway sandbox --share /etc -- true
        code slipway sandbox --share /job/none -- true
        code slipway sandbox --output /etc/passwd -- true
        code slipway sandbox true
        code slipway sandbox"""))).expect(0)
    assert [line for line in ran.output().splitlines() if line.startswith("code")] == [f"code {n}" for n in (0, 3, 127, 137, 1, 1, 125, 2, 2, 2)], ran
    assert "output missing: " in ran.output() and "`/etc` is no directory below /job" in ran.output()


def test_a_command_starts_where_its_caller_stands_if_that_is_there(slipway):
    slipway.project.write("lib/x", "x")
    ran = slipway.run(job(slipway.project, ("build", """
        mkdir -p /job/share/in
        cd lib; slipway sandbox -- pwd; cd /tmp; slipway sandbox -- pwd; cd /job/share/in; slipway sandbox --share .. -- pwd"""))).expect(0)
    assert ran.output().split() == ["/job/src/lib", "/job/src", "/job/share/in"]


def test_a_command_has_nothing_of_the_environment_of_its_caller(slipway):
    ran = slipway.run(job(slipway.project, ("build", "export X=y; slipway sandbox -- env; slipway sandbox -- env CC=clang sh -c 'echo cc $CC'"),
                          env={"A": "a"}, secrets=["TOKEN"]), "--secret", "TOKEN", env={"TOKEN": "sesame-open-1"}).expect(0)
    names = {line.partition("=")[0] for line in ran.output().splitlines()[:-1]}
    assert names == {"CI", "GIT_BRANCH", "GIT_COMMIT", "GIT_REF", "HOME", "LANG", "LOGNAME", "PATH", "SLIPWAY_REVISION", "SLIPWAY_SANDBOX", "TMPDIR", "USER"}
    assert ran.output().endswith("cc clang\n")


def test_a_command_is_told_as_source_and_one_that_could_not_be_run_is_kept(slipway):
    ran = slipway.run(job(slipway.project, ("build", "echo mine; slipway sandbox -- sh -c 'echo theirs; exit 4' || slipway sandbox --share /job/none -- sh -c 'exit 5' || true"))).expect(0)
    assert [(e["text"], e.get("origin")) for e in ran.of("output")][:2] == [("mine", None), ("theirs", "source")]
    viewed = slipway("runs", "view", ran.finished["run"]).expect(0).out
    assert "sandbox: sh -c exit 5: " in viewed and "sandbox: sh -c echo" not in viewed, viewed
    assert "slipway: sandbox: exit code 4\n" in ran.output()


def test_a_secret_in_a_command_is_nowhere_in_its_title(slipway):
    token = "sesame-open-" + "0123456789" * 4
    ran = slipway.run(job(slipway.project, ("build", 'slipway sandbox --share /job/none -- sh -c "exit 4; : $(printf "%0170d" 0) $TOKEN" || true'), secrets=["TOKEN"]), "--secret", "TOKEN", env={"TOKEN": token}).expect(0)
    [notice] = ran.of("notice")
    assert "sesame" not in ran.out and "000 ***" in notice["message"], ran


def test_a_command_that_nobody_waits_for_any_more_is_stopped(slipway):
    begin = time.monotonic()
    ran = slipway.run(job(slipway.project, ("build", """
        timeout 0.3 slipway sandbox -- sh -c 'trap "echo bye; exit 9" TERM; while :; do sleep 0.05; done' || echo code $?
        slipway sandbox -- sleep 0.2"""))).expect(0)
    assert "code 124\n" in ran.output() and "bye\n" in ran.output() and time.monotonic() - begin < 5


def test_a_command_does_not_outlive_its_step(slipway):
    begin = time.monotonic()
    ran = slipway.run(job(slipway.project, ("build", "mkdir /job/s; (slipway sandbox --share /job/s -- sh -c 'trap \"\" TERM; touch /job/s/up; while :; do touch /job/s/alive; done' &); "
                                            "while [ ! -e /job/s/up ]; do sleep 0.01; done"),
                          ("next", "rm -f /job/s/alive; sleep 0.2; test ! -e /job/s/alive"))).expect(0)
    assert ran.step("next")["outcome"] == "succeeded" and time.monotonic() - begin < 5


def test_a_command_has_the_grace_of_its_step(slipway):
    ran = slipway.run(job(slipway.project, ("build", "slipway sandbox -- sh -c 'trap \"sleep 0.3; echo cleaned up; exit 1\" TERM; echo up; while :; do sleep 0.05; done'",
                                            {"timeout": "500ms"}))).expect(124)
    assert "cleaned up" in ran.output()


def test_many_commands_at_once_wait_for_their_turn(slipway):
    ran = slipway.run(job(slipway.project, ("build", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do slipway sandbox -- sh -c \"sleep 0.1; echo n $i\" & done; wait"))).expect(0)
    assert sorted(ran.output().split("\n")) == sorted([""] + [f"n {i}" for i in range(1, 13)])


def test_a_command_in_a_job_whose_source_is_apart_writes_that_source(slipway):
    ran = slipway.run(job(slipway.project, ("source first", "echo one > made"),
                          ("second", "slipway sandbox -- sh -c 'cat made; echo two >> made'; cat made"))).expect(0)
    assert ran.output().split() == ["one", "one", "two"]


def test_a_source_step_in_a_job_without_a_checkout_has_a_place_that_the_job_sees(slipway):
    ran = slipway.run(job(slipway.project, ("source fetch", "echo fetched > file"), ("use", "cat file"), checkout="none")).expect(0)
    assert ran.output() == "fetched\n"


def test_memory_of_a_sibling_is_limited_as_the_jobs(slipway):
    from harness import not_held
    if missing := not_held("limit: memory"):
        pytest.skip(missing)
    ran = slipway.run(job(slipway.project, ("source hog", "head -c 300m /dev/zero | tail"), resources={"memory": "64MiB"})).expect(1)
    assert ran.step("hog")["outcome"] == "out_of_memory", ran


def test_the_example_keeps_its_key_from_the_project_that_it_runs(slipway):
    from harness import ROOT
    for file in (ROOT / "examples/siblings/project").iterdir():
        slipway.project.write(file.name, file.read_text()).chmod(0o755)
    file = slipway.project.workflow((ROOT / "examples/siblings/workflow.yaml").read_text())
    ran = slipway.run(file, "--secret", "SIGNING_KEY", env={"SIGNING_KEY": "correct-horse-battery"}).expect(0)
    for words in ("count.sh: ok", "the signing key: not here", "control socket: not here", "built 10240 bytes", "HMAC-SHA2-256(words.tar)= "):
        assert words in ran.output(), ran


@pytest.mark.parametrize("image", ["directory", "named"])
def test_source_runs_in_the_image_and_workspace_of_its_job(alone, tmp_path, image):
    from images import base, layout
    if image == "named" and not shutil.which("skopeo"):
        pytest.skip("needs the package skopeo")
    with tarfile.open(fileobj=io.BytesIO(base())) as tar:
        tar.extractall(tmp_path / "root")
    where = tmp_path / "root" if image == "directory" else f"oci:{layout(tmp_path / 'layout', [base()], {'Env': ['PATH=/bin', 'FOO=of-image']})}"
    script = "pwd; echo $FOO; echo x > made; touch /two 2>/dev/null || echo read-only"
    ran = alone.run(job(alone.project, ("source build", script, {"env": {"PATH": "/bin"}}), ("use", "cat made; mkdir /workspace/s; slipway sandbox --share /workspace/s --output made -- sh -c 'cat made; echo y > /workspace/s/f'; cat /workspace/s/f /workspace/from-source/made"),
                        image=str(where), workspace="/workspace", read_only_root=True, env={"PATH": "/bin"})).expect(0)
    assert ran.output(step="build").split("\n")[0] == "/workspace/src" and "read-only\n" in ran.output(step="build"), ran
    assert ("of-image" in ran.output(step="build")) == (image == "named")
    assert ran.output(step="use") == "x\nx\ny\nx\n", ran


# --- before it runs ---

def test_where_no_sibling_can_be_made_the_plan_says_so(slipway):
    file = job(slipway.project, ("source build", "true"))
    ran = slipway("run", "--backend", "docker", "--image", "debian:12", file).expect(2)
    assert "E105" in ran.err and "ci.yaml:" in ran.err, ran


@pytest.mark.parametrize("backend", ["docker"])
def test_a_command_says_where_no_sibling_can_be_made(slipway, backend):
    ran = slipway.run(slipway.project.job(run="slipway sandbox -- true || echo code $?")).expect(0)
    assert "code 125\n" in ran.output() and "need `--backend native`" in ran.output(), ran


def test_a_source_step_gets_neither_secrets_nor_artifacts(slipway):
    for keys, code in [({"secrets": ["TOKEN"]}, "E060"), ({"uses_artifacts": ["dist"]}, "E019")]:
        assert code in slipway("lint", job(slipway.project, ("source build", "true", keys))).expect(2).out


def test_plans_show_who_a_step_is(slipway):
    file = job(slipway.project, ("source build", "true"))
    assert "run_as: source" in slipway("plan", "--resolved", file).expect(0).out
    assert "step `build` says run_as: source -> it runs beside the job" in slipway("explain", "--workflow-file", file, "job").expect(0).out


def test_git_works_in_source_and_in_job_code_beside_it(slipway):
    slipway.project.write("file", "x\n")
    slipway.project.commit("the commit")
    slipway.project.git("tag", "v1")
    look = "git describe --tags; git log --format=%s; git status --short; git rev-parse --git-dir --show-toplevel"
    ran = slipway.run(job(slipway.project, ("source build", f"{look}; git commit -q --allow-empty -m x 2>/dev/null || echo read only; git init -q own; git -C own rev-parse --git-dir"), ("use", look))).expect(0)
    assert ran.output(step="use") == "v1\nthe commit\n?? .slipway/\n?? own/\n/job/git\n/job/src\n"
    assert ran.output(step="build").replace("?? .slipway/\n", "") == "v1\nthe commit\n/job/git\n/job/src\nread only\n.git\n"

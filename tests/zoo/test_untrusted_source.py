"""A stranger's pull request: what comes from its commit stays away from secrets, from job code and from what others trust."""
import json
import os
import subprocess

import pytest
from harness import BACKENDS, Project

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="keeping the source apart needs a user id for it, which root alone can give")
SECRET = "VERY-SECRET-VALUE"


@pytest.fixture
def event(tmp_path):
    """An event file: a pull request, from a fork or not."""

    def write(fork: bool = True, number: int = 7) -> str:
        path = tmp_path / f"event-{fork}.json"
        path.write_text(json.dumps({"event": "pull_request", "pr": {"number": number, "base": "main", "head": "fix", "fork": fork}}))
        return str(path)

    return write


@pytest.fixture
def fork(tmp_path):
    """The stranger's repository."""
    project = Project(tmp_path / "fork")
    project.write("hello.txt", "hello of the fork\n")
    project.write("evil.sh", "#!/bin/sh\necho evil ran with $KEY\n").chmod(0o755)
    project.commit("a pull request")
    return project


def workflow(project, *jobs, **more):
    return project.workflow(json.dumps({"workflow": {"name": "ci", "defaults": {"image": "host", "network": "none", "timeout": "50s"}, **more, "jobs": list(jobs)}}))


def run(slipway, *arguments, **options):
    return slipway.run(*arguments, "--secret", "KEY", env={"KEY": SECRET}, **options)


def on_fork(slipway, file, fork, event, *more):
    return run(slipway, file, "--source-url", f"file://{fork.path}", "--event-file", event(), *more)


def reason(ran, job):
    return [event["reason"] for event in ran.of("job_finished") if event["job"] == job][-1]


# --- whose text it is ---

@pytest.mark.parametrize("again", [("rerun",), ("shell", "latest", "j", "--", "env")])
def test_a_proposal_of_a_stranger_is_one_when_its_run_is_run_again(alone, fork, again):
    fork.write("ci.yaml", json.dumps({"workflow": {"name": "ci", "jobs": [{"name": "j", "image": "host", "network": "none", "secrets": ["KEY"], "run": "echo the text of the fork; env | rev"}]}}))
    fork.commit("a workflow like that of the project")
    fork.git("update-ref", "refs/pull/7/head", "HEAD")
    alone.project.write("ci.yaml", json.dumps({"workflow": {"name": "ci", "jobs": [{"name": "j", "image": "host", "network": "none", "secrets": ["KEY"], "run": "test -n \"$KEY\""}]}}))
    alone.project.commit()
    first = run(alone, "ci.yaml", "--source-url", f"file://{fork.path}", "--source-ref", "refs/pull/7/head").expect(0)
    assert "is taken for a fork's" in first.err and "--event pull_request" in first.err
    told = alone("runs", *again, env={"KEY": SECRET}).expect(0)
    assert "is taken for a fork's" in told.err and "the text of the fork" not in told.out and SECRET[::-1] not in told.out, told


@pytest.mark.parametrize("job", [{"secrets": ["KEY"], "run": "echo ran"}, {"steps": [{"name": "s", "secrets": ["KEY"], "run": "echo ran"}]},
                                 {"secrets": ["KEY"], "ci_code": {"path": "evil.sh"}}])
def test_a_forks_own_workflow_gets_no_secret(slipway, event, job):
    slipway.project.write("evil.sh", "echo ran")
    file = workflow(slipway.project, {"name": "j", **job})
    for arguments in (("run", file, "--event-file", event(), "--secret", "KEY"), ("plan", file, "--event-file", event()), ("run", "--event-file", event(), "--dry-run")):
        told = slipway(*arguments, env={"KEY": SECRET})
        if arguments == ("run", "--event-file", event(), "--dry-run"):
            told = slipway("run", file, *arguments[1:], env={"KEY": SECRET})
        assert told.code == 4 and "E111" in told.err and "ci.yaml:" in told.err and "--accept-risk" in told.err and "ran" not in told.out, told
    run(slipway, file, "--event-file", event(fork=False)).expect(0)


def test_an_event_does_not_say_twice_whether_it_is_of_a_fork(slipway, tmp_path):
    file = workflow(slipway.project, {"name": "j", "secrets": ["KEY"], "run": "echo ran"})
    (tmp_path / "both.json").write_text(json.dumps({"event": "pull_request", "pr": {"number": 7, "fork": True}, "pull_request": {"number": 7}}))
    told = run(slipway, file, "--event-file", tmp_path / "both.json").expect(2)
    assert "two names of one thing" in str(told)


def test_a_forks_own_workflow_runs_without_secrets(slipway, event):
    file = workflow(slipway.project, {"name": "j", "run": "echo ran"})
    assert slipway.run(file, "--event-file", event()).expect(0).output() == "ran\n"


def test_an_accepted_risk_is_recorded(slipway, event):
    file = workflow(slipway.project, {"name": "j", "secrets": ["KEY"], "run": "test -n \"$KEY\" && echo ran"})
    ran = run(slipway, file, "--event-file", event(), "--accept-risk", "secrets-with-source").expect(0)
    assert ran.output() == "ran\n"
    viewed = slipway("runs", "view", "latest").expect(0).out
    assert "--accept-risk secrets-with-source -> untrusted source may run beside its secrets" in viewed
    assert slipway("run", file, "--accept-risk", "everything").code == 2


def test_whose_code_it_is_is_explained_and_recorded(slipway, event, fork):
    file = workflow(slipway.project, {"name": "j", "secrets": ["KEY"], "run": "true"}, {"name": "plain", "run": "true"}, on={"pull_request": {}})
    on_fork(slipway, file, fork, event).expect(0)
    viewed = slipway("runs", "view", "latest").expect(0).out
    assert "source -> untrusted: of a fork's pull request" in viewed and "secrets -> the source is kept apart from them" in viewed
    slipway.project.path.joinpath(file).write_text(json.dumps({"job": {"image": "host", "run": "true", "on": {"pull_request": {}}}}))
    explained = slipway("explain", "ci", "--event-file", event()).expect(0).out
    assert "text -> untrusted" in explained


def test_a_fork_names_no_other_place(slipway, event, fork, tmp_path):
    for key in ("ci_code", "source_code"):
        file = workflow(slipway.project, {"name": "j", key: {"url": f"file://{fork.path}"}, "run": "cat /job/*/hello.txt"})
        told = slipway("run", file, "--event-file", event()).expect(4)
        assert "E113" in told.err and "hello of the fork" not in str(told)
    file = workflow(slipway.project, {"name": "j", "run": "true"}, source_code={"url": f"file://{fork.path}"})
    assert "E113" in slipway("run", file, "--event-file", event()).expect(4).err


def test_a_fork_names_no_directory_of_this_machine_as_an_image(slipway, event, tmp_path):
    (tmp_path / "private").mkdir()
    (tmp_path / "private/key").write_text("PRIVATE-TEXT")
    private = str(tmp_path / "private")
    for image in (private, f"oci:{private}:tag", f"docker-archive:{private}/key", "docker-daemon:private", "sha256:" + "a" * 64, "cafe"):
        for job in ({"image": image, "run": "cat /key"}, {"run": "true", "services": [{"name": "s", "image": image, "command": ["/x"]}]}):
            told = slipway("run", workflow(slipway.project, {"name": "j", **job}), "--event-file", event()).expect(4)
            assert "E113" in told.err and "PRIVATE-TEXT" not in str(told)


def test_outputs_of_the_fork_choose_no_image_and_no_place_for_a_job_with_secrets(slipway, event, fork, tmp_path):
    (tmp_path / "images/mine").mkdir(parents=True)
    (tmp_path / "victim").mkdir()
    build = {"name": "build", "outputs": ["img"], "run": "slipway output img victim"}
    image = f"{tmp_path}/images/{{{{ outputs.build.img }}}}"
    for keys in ({"image": image}, {"working_dir": "/tmp/{{ outputs.build.img }}"}, {"env": {"IMG": image}, "image": "{{ env.IMG }}"}, {"image": "{{ pr.head }}"},
                 {"for_each": {"in": "outputs.build.img"}, "image": "{{ item }}"}):
        file = workflow(slipway.project, build, {"name": "sign", "depends_on": ["build"], "secrets": ["KEY"], "run": "echo ran", **keys})
        told = on_fork(slipway, file, fork, event)
        assert told.code not in (0, 1) and "E112" in told.out + told.err, (keys, told)
        assert not any(event["outcome"] == "succeeded" for event in told.of("job_finished") if event["job"].startswith("sign")), keys
    build["run"] = "slipway output img ../victim"
    file = workflow(slipway.project, build, {"name": "plain", "depends_on": ["build"], "run": "echo ran", "image": image})
    told = on_fork(slipway, file, fork, event)
    assert told.code not in (0, 1) and "no `..`" in reason(told, "plain"), told


def test_what_a_fork_asks_for_next_is_shown_but_not_to_be_pasted(slipway, event):
    file = workflow(slipway.project, {"name": "j", "run": "slipway trigger --job next --run 'echo of the fork'"})
    trusted = slipway("run", file, "--event-file", event(fork=False)).expect(0)
    assert "would run next: next" in trusted.out + trusted.err and "--job-command 'echo of the fork'" in trusted.out + trusted.err, trusted
    told = slipway("run", file, "--event-file", event()).expect(0)
    assert "would run next: next" in told.out + told.err and "--job-command" not in told.out + told.err


def test_a_fork_does_not_shadow_the_workflow_that_is_named(slipway, event, fork):
    workflow(fork, {"name": "j", "secrets": ["KEY"], "run": "echo the fork has $KEY"})
    fork.commit()
    file = workflow(slipway.project, {"name": "j", "secrets": ["KEY"], "run": "echo mine; cat hello.txt"})
    ran = on_fork(slipway, file, fork, event).expect(0)
    assert ran.output() == "mine\nhello of the fork\n"
    slipway.project.path.joinpath(file).unlink()  # only the fork has it
    assert "E111" in str(slipway("run", file, "--source-url", f"file://{fork.path}", "--event-file", event(), "--secret", "KEY", env={"KEY": SECRET}).expect(4))


def test_a_file_of_the_forks_own_checkout_is_the_forks_however_it_is_named(slipway, event, fork, tmp_path):
    file = workflow(fork, {"name": "j", "secrets": ["KEY"], "run": "echo ran"})
    fork.commit()
    fork.write("part/x", "x")
    (tmp_path / "link").symlink_to(fork.path)
    for location in (".", "../fork", "./part", fork.path / ".git", f"file://{fork.path}/.git", f"file://localhost{fork.path}", f"git+file://{fork.path}"):
        told = slipway("run", file, "--source-url", location, "--event-file", event(), "--secret", "KEY", env={"KEY": SECRET}, cwd=fork.path)
        assert told.code == 4 and "E111" in told.err, (location, told)
    (fork.path / "mine.yaml").symlink_to(slipway.project.path / workflow(slipway.project, {"name": "j", "secrets": ["KEY"], "run": "echo ran"}))
    for arguments, cwd in [((file, "--commit", "HEAD"), fork.path), ((file, "--source-url", f"file://{fork.path}"), fork.path),
                           ((fork.path / file, "--source-url", fork.path), slipway.project.path), ((file,), tmp_path / "link"),
                           (("-C", tmp_path / "link", fork.path / file), slipway.project.path),
                           ((fork.path / "mine.yaml", "--source-url", fork.path), slipway.project.path), ((tmp_path / "link" / file, "-C", fork.path), slipway.project.path)]:
        told = slipway("run", *arguments, "--event-file", event(), "--secret", "KEY", env={"KEY": SECRET}, cwd=cwd)
        assert told.code == 4 and "E111" in told.err, (arguments, told)
    trusted = tmp_path / "trusted"
    fork.git("worktree", "add", "-q", str(trusted), "HEAD")
    assert run(slipway, file, "--source-url", f"file://{fork.path}", "--event-file", event(), cwd=trusted).expect(0).output() == "ran\n"
    assert run(slipway, "../trusted/" + file, "--source-url", ".", "--event-file", event(), cwd=fork.path).expect(0).output() == "ran\n"


@pytest.mark.parametrize("text", ["image: {of_fork}\n", "backend: fake\n", "keep: true\nmax_parallel: 1\nsandbox: {{memory: 1MiB, pids: 1}}\n", "not: [yaml\n"])
def test_a_forks_settings_say_nothing(slipway, event, fork, tmp_path, text):
    (tmp_path / "rootfs").mkdir()
    fork.write(".slipway/config.yaml", text.format(of_fork=tmp_path / "rootfs"))
    fork.commit()
    (tmp_path / "trusted").mkdir()
    trusted = tmp_path / "trusted/ci.yaml"
    trusted.write_text(json.dumps({"job": {"network": "none", "secrets": ["KEY"], "run": "echo ran"}}))
    ran = run(slipway, trusted, "--event-file", event(), cwd=fork.path).expect(0)
    assert ran.output() == "ran\n" and ".slipway/config.yaml is not read: the event is of a fork's pull request" in ran.err
    shown = slipway("run", trusted, "--event-file", event(), "--print-config", cwd=fork.path).expect(0).out
    assert "# not read: " in shown and str(tmp_path / "rootfs") not in shown and "backend: native" in shown
    piped = slipway("plan", trusted, "--event-file", "/dev/stdin", cwd=fork.path, stdin=open(event()).read())
    assert piped.code == 0, piped


def test_a_fork_does_not_shadow_job_code(slipway, event, fork):
    fork.write("ci/check.sh", "echo the fork has $KEY")
    fork.commit()
    slipway.project.write("ci/check.sh", "echo mine")
    file = workflow(slipway.project, {"name": "j", "secrets": ["KEY"], "ci_code": {"path": "ci"}, "run": "sh /job/ci/check.sh"})
    assert on_fork(slipway, file, fork, event).expect(0).output() == "mine\n"


# --- beside secrets: a guard, and the git metadata ---

@pytest.mark.parametrize("backend", BACKENDS)
def test_source_beside_secrets_is_not_executed_nor_written_by_mistake(slipway, backend, event, fork):
    file = slipway.project.job(keys={"secrets": ["KEY"]}, run="""
        ./evil.sh || echo "not executed: $?"
        touch new 2>/dev/null || echo not written
        test -d .git && echo a repository in the source
        cat hello.txt
        """)
    out = on_fork(slipway, file, fork, event).expect(0).output()
    assert "evil ran" not in out and "not executed: 126" in out and "not written" in out and "hello of the fork" in out
    assert "a repository" not in out


def test_git_knows_its_repository_and_clones_others(slipway, event, fork):
    fork.git("tag", "v1")
    file = workflow(slipway.project, {"name": "j", "secrets": ["KEY"], "run": """
git describe --tags; git status --short; git log --oneline | wc -l
git config --get-all safe.directory; git config safe.bareRepository
env -u GIT_DIR -u GIT_WORK_TREE git init -q --bare /tmp/other.git 2>&1
env -u GIT_DIR -u GIT_WORK_TREE git clone -q /tmp/other.git /tmp/clone 2>/dev/null
env -u GIT_DIR -u GIT_WORK_TREE git clone -q "$GIT_URL" /tmp/source 2>&1; ls /tmp/clone/.git/HEAD /tmp/source/hello.txt
git log --format=%s
"""})
    out = on_fork(slipway, file, fork, event).expect(0).output()
    assert out == "v1\n1\n/job/src\nexplicit\n/tmp/clone/.git/HEAD\n/tmp/source/hello.txt\na pull request\n", out


def test_a_planted_configuration_of_git_is_not_read(slipway, event, fork, tmp_path):
    """The stranger's repository is a directory of this machine, its `.git` as they wrote it."""
    fork.git("config", "core.fsmonitor", "echo PLANTED >&2; false")
    fork.git("config", "filter.f.clean", "echo PLANTED >&2; cat")
    (fork.path / ".git/info/attributes").write_text("* filter=f\n")
    hook = fork.write(".git/hooks/post-index-change", "#!/bin/sh\necho PLANTED >&2\n")
    hook.chmod(0o755)
    file = workflow(slipway.project, {"name": "j", "secrets": ["KEY"], "run": "git status; git diff; git config --list"})
    for location in (f"file://{fork.path}", str(fork.path)):
        ran = run(slipway, file, "--source-url", location, "--event-file", event())
        assert "PLANTED" not in ran.output() and SECRET not in str(ran), ran


# --- what it leaves behind ---

def test_a_for_each_over_outputs_is_judged_as_well(slipway, event):
    file = workflow(slipway.project, {"name": "j", "outputs": ["list"], "run": "slipway output list '[1]'"},
                    {"name": "each", "depends_on": ["j"], "for_each": {"in": "outputs.j.list"}, "secrets": ["KEY"], "run": "echo has $KEY"})
    told = slipway("run", file, "--event-file", event(), "--secret", "KEY", env={"KEY": SECRET}).expect(4)
    assert "E111" in told.err and "job each" in told.err


def test_a_tainted_artifact_does_not_come_beside_secrets(slipway, event, fork):
    build = {"name": "build", "run": "echo x >dist", "artifacts": [{"name": "dist", "paths": ["dist"]}]}
    use = {"name": "use", "depends_on": ["build"], "uses_artifacts": ["dist"], "secrets": ["KEY"], "run": "cat /job/inputs/dist/dist"}
    file = workflow(slipway.project, build, use)
    told = slipway("run", file, "--source-url", f"file://{fork.path}", "--event-file", event(), "--secret", "KEY", env={"KEY": SECRET}).expect(4)
    assert "E112" in told.err and "`dist` of job build" in told.err
    accepted = on_fork(slipway, file, fork, event, "--accept-risk", "secrets-with-source").expect(0)
    assert accepted.output("use") == "x\n"
    assert "untrusted" in slipway("runs", "view", "latest").expect(0).out
    # Whose name the plan does not know is found out when the job starts.
    build["run"] = "echo x >dist; slipway artifact late dist"
    file = workflow(slipway.project, {**build, "artifacts": []}, {**use, "uses_artifacts": ["{{ default(outputs.build.name, 'late') }}"], "run": "echo has it"})
    ran = on_fork(slipway, file, fork, event)
    assert ran.job("use")["outcome"] == "rejected" and "E112" in reason(ran, "use") and "has it" not in ran.output(), ran


def test_what_job_code_makes_beside_kept_source_is_passed_on(slipway, event, fork):
    file = workflow(slipway.project, {"name": "sign", "secrets": ["KEY"], "run": "sha256sum hello.txt >/job/artifacts/sums", "artifacts": [{"name": "signed", "paths": ["/job/artifacts/*"]}]},
                    {"name": "publish", "depends_on": ["sign"], "uses_artifacts": ["signed"], "secrets": ["KEY"], "run": "cat /job/inputs/signed/artifacts/*"})
    assert "hello.txt" in on_fork(slipway, file, fork, event).expect(0).output("publish")


@pytest.mark.parametrize("how, path", [("--share /job/out -- sh -c 'echo x >/job/out/f'", "/job/out/*"), ("--output hello.txt -- true", "/job/from-source/*")])
def test_what_a_sandbox_of_the_source_could_write_is_tainted(slipway, event, fork, how, path):
    file = workflow(slipway.project, {"name": "make", "secrets": ["KEY"], "run": f"mkdir -p /job/out; slipway sandbox {how}; ls /job/out /job/from-source || true",
                                      "artifacts": [{"name": "made", "paths": [path]}, {"name": "own", "paths": ["/job/artifacts/*"]}]},
                    {"name": "use", "depends_on": ["make"], "uses_artifacts": ["made"], "secrets": ["KEY"], "run": "echo has it"})
    ran = on_fork(slipway, file, fork, event)
    assert "E112" in str(ran) and "has it" not in ran.output()
    assert "--share" not in how or ran.job("use")["outcome"] == "rejected"  # of a share only the job itself knows


def test_a_strangers_repository_is_not_unpacked_for_a_person(slipway, event, tmp_path):
    plant = "mkdir -p made/a/.git made/.GIT && for at in made made/a; do git init -q $at && git -C $at config core.fsmonitor 'touch RAN'; done; echo kept >made/.gitignore"
    file = workflow(slipway.project, {"name": "j", "run": plant, "artifacts": [{"name": "all", "paths": ["made"]}]})
    slipway.run(file, "--event-file", event()).expect(0)
    told = slipway("runs", "artifacts", "latest", "all", "-o", tmp_path / "got")
    assert told.code != 0 and "made/.git: a stranger's repository" in told.err and "made/a/.git" in told.err, told
    assert [path.name for path in (tmp_path / "got").rglob("*") if path.is_file()] == [".gitignore"]
    slipway.run(file).expect(0)
    slipway("runs", "artifacts", "latest", "all", "-o", tmp_path / "own").expect(0)
    assert (tmp_path / "own/made/.git/config").exists()


def test_a_cache_of_a_fork_does_not_come_beside_secrets(slipway, event, fork):
    cache = [{"key": "deps", "paths": ["/job/deps"]}]
    fill = workflow(slipway.project, {"name": "fill", "cache": cache, "run": "mkdir -p /job/deps; echo evil >/job/deps/x"})
    on_fork(slipway, fill, fork, event).expect(0)
    use = workflow(slipway.project, {"name": "use", "cache": cache, "secrets": ["KEY"], "run": "cat /job/deps/x 2>/dev/null || echo none"})
    assert on_fork(slipway, use, fork, event).expect(0).output().endswith("none\n")
    plain = workflow(slipway.project, {"name": "plain", "cache": cache, "run": "cat /job/deps/x"})
    assert on_fork(slipway, plain, fork, event).expect(0).output() == "evil\n"  # without secrets, of the same pull request


@pytest.mark.parametrize("number", [0, 7])
def test_a_fork_writes_no_cache_that_others_read(slipway, event, fork, number):
    cache = [{"key": "shared", "paths": ["/job/deps"]}]
    fill = workflow(slipway.project, {"name": "fill", "cache": cache, "run": "mkdir -p /job/deps; echo evil >/job/deps/x"})
    source = ("--source-url", f"file://{fork.path}")
    slipway.run(fill, *source, "--event-file", event(number=number)).expect(0)
    look = workflow(slipway.project, {"name": "look", "cache": cache, "run": "cat /job/deps/x 2>/dev/null || echo none"})
    assert slipway.run(look, *source).expect(0).output().endswith("none\n")


# --- job code ---

def test_job_code_cannot_be_written_whoever_tries(slipway, fork):
    file = workflow(slipway.project, {"name": "j", "ci_code": {"url": f"file://{fork.path}"}, "steps": [
        {"name": who, "run_as": who, "run": "for t in 'touch /job/ci/x' 'rm -f /job/ci/hello.txt' 'mount -o remount,rw /job/ci' 'umount /job/ci'; do $t 2>/dev/null && echo \"did $t\"; done; true"}
        for who in ("runner", "root")]})
    assert slipway.run(file).expect(0).output() == ""
    assert subprocess.run(["git", "-C", str(fork.path), "status", "--porcelain"], capture_output=True, check=True).stdout == b""


def test_links_in_job_code_lead_nowhere_on_this_machine(slipway, fork, tmp_path):
    private = tmp_path / "private.txt"
    private.write_text("PRIVATE-TEXT\n")
    (fork.path / "link").symlink_to(private)
    (fork.path / "sub").mkdir()
    (fork.path / "sub/up").symlink_to("../../private.txt")
    (fork.path / "dir").symlink_to(tmp_path)
    fork.commit()
    code = {"url": f"file://{fork.path}"}
    file = workflow(slipway.project, {"name": "j", "ci_code": code, "run": "cat /job/ci/link /job/ci/sub/up || ls /job/ci/dir/ || true"})
    assert "PRIVATE" not in str(slipway.run(file).expect(0))
    for key in ("ci_code", "source_code"):
        refused = slipway.run(workflow(slipway.project, {"name": "j", key: {**code, "path": "dir"}, "run": "ls /job/ci /job/src"}))
        assert refused.code == 2 and "is a link" in reason(refused, "j"), refused


def test_a_trusted_job_hears_nothing_of_a_strangers_jobs_nor_they_of_its(slipway, event):
    """Results and states are asked for by a job's name, which a stranger chooses."""
    asks = "slipway state result build || echo none"
    build = lambda value: {"name": "build", "outputs": ["version"], "run": f"slipway output version {value}"}
    theirs = workflow(slipway.project, build("of-the-stranger"))
    slipway.run(theirs, "--event-file", event()).expect(0)
    ours = workflow(slipway.project, {"name": "asks", "run": asks})
    assert "of-the-stranger" not in slipway.run(ours).expect(0).output("asks")
    slipway.run(workflow(slipway.project, build("of-ours"))).expect(0)
    slipway.run(theirs, "--event-file", event()).expect(0)
    assert "of-ours" in slipway.run(workflow(slipway.project, {"name": "asks", "run": asks})).expect(0).output("asks")
    assert "of-ours" not in slipway.run(workflow(slipway.project, {"name": "asks", "run": asks}), "--event-file", event()).expect(0).output("asks")


def test_python_of_job_code_imports_nothing_that_a_stranger_left_in_the_directory(slipway, fork, event):
    fork.write("slipway.py", "print('stranger runs')")
    fork.commit("a module")
    file = workflow(slipway.project, {"name": "j", "secrets": ["KEY"], "steps": [
        {"name": "ours", "run": "python3 -c 'import slipway; print(slipway.__file__)'"}, {"name": "s", "run_as": "source", "run": "true"}]})
    ran = on_fork(slipway, file, fork, event).expect(0)
    assert "stranger runs" not in ran.output("j", "ours"), ran

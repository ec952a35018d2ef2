"""`ci_code` and `source_code`: job code and source from other places than the checkout, looked up once and shown."""
import json
import os
import subprocess

import pytest
from harness import BACKENDS, ROOT, Project


@pytest.fixture
def ci(tmp_path):
    """A repository of job code."""
    project = Project(tmp_path / "ci")
    project.write("check.sh", "#!/bin/sh\necho checked by $0 in $PWD: $(cat hello.txt)\n").chmod(0o755)
    project.write("tools/lint.sh", "echo linted\n")
    project.commit("job code")
    return project


@pytest.fixture
def app(tmp_path):
    """A repository of source."""
    project = Project(tmp_path / "app")
    project.write("hello.txt", "hello of the app\n")
    project.write("sub/inner.txt", "inner\n")
    project.commit("the app")
    return project


def url(project):
    return f"file://{project.path}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_job_code_of_another_repository_is_beside_the_source_and_read_only(slipway, backend, ci):
    slipway.project.write("hello.txt", "hello\n")
    slipway.project.write("ci/check.sh", "echo the source\n")
    file = slipway.project.job(keys={"ci_code": {"url": url(ci), "ref": "main"}}, run="""
        /job/ci/check.sh
        ls /job/ci
        for write in "touch /job/ci/new" "rm /job/ci/check.sh" "mv /job/ci /job/cj"; do $write 2>/dev/null && echo "could $write"; done
        echo "$SLIPWAY_CI_CODE $SLIPWAY_CI_REVISION"
        """)
    ran = slipway.run(file).expect(0)
    assert ran.output() == f"checked by /job/ci/check.sh in /job/src: hello\ncheck.sh\ntools\n/job/ci {ci.git('rev-parse', 'HEAD')}\n"


@pytest.mark.parametrize("backend", BACKENDS)
def test_source_of_another_repository_takes_the_checkouts_place(slipway, backend, app):
    slipway.project.write("here.txt", "here\n")
    first = app.git("rev-parse", "HEAD")
    app.write("hello.txt", "newer\n")
    app.commit("newer")
    file = slipway.project.job(keys={"source_code": {"url": url(app), "ref": first}}, run="cat hello.txt; ls; echo $GIT_COMMIT")
    ran = slipway.run(file).expect(0)
    assert ran.output() == f"hello of the app\nhello.txt\nsub\n{first}\n"


def test_an_archive_is_a_place_too(slipway, ci, tmp_path):
    subprocess.run(["tar", "-C", ci.path, "-czf", tmp_path / "ci.tar.gz", "check.sh"], check=True)
    slipway.project.write("hello.txt", "hello\n")
    file = slipway.project.job(keys={"ci_code": {"url": str(tmp_path / "ci.tar.gz"), "path": "check.sh"}})
    assert slipway.run(file).expect(0).output() == "checked by /job/ci/check.sh in /job/src: hello\n"
    assert "sha256:" in slipway("runs", "view", "latest").expect(0).out


def test_a_job_says_otherwise_than_its_workflow(slipway, ci, app):
    file = slipway.project.workflow(json.dumps({"workflow": {
        "name": "ci", "defaults": {"image": "host", "network": "none"}, "source_code": {"url": url(app)}, "ci_code": {"url": url(ci)},
        "jobs": [{"name": "both", "run": "/job/ci/check.sh"}, {"name": "part", "source_code": {"url": url(app), "path": "sub"}, "run": "ls"},
                 {"name": "none", "checkout": "none", "run": "ls /job/src; ls /job/ci"}]}}))
    ran = slipway.run(file).expect(0)
    assert ran.output("both").endswith("hello of the app\n")
    assert ran.output("part") == "inner.txt\n"
    assert ran.output("none") == "check.sh\ntools\n"


def test_a_path_alone_is_of_this_checkout(slipway):
    slipway.project.write("ci/tool.sh", "echo mine\n")
    slipway.project.write("app/main.c", "int x;\n")
    file = slipway.project.job(keys={"ci_code": {"path": "ci"}, "source_code": {"path": "app"}}, run="ls /job/ci /job/src; sh /job/ci/tool.sh")
    assert slipway.run(file).expect(0).output() == "/job/ci:\ntool.sh\n\n/job/src:\nmain.c\nmine\n"


@pytest.mark.parametrize("name, text, told", [
    ("run.sh", "echo by extension; false; echo on", "by extension\n"), ("pipelines/run.py", "import sys; print(sys.argv[0], 'of python')", "/job/ci/pipelines/run.py of python\n"),
    ("run", "#!/bin/sh -e\necho by its first line; false; echo on", "by its first line\n")])
def test_a_file_is_the_entry_point(slipway, ci, name, text, told):
    ci.write(name, text)
    ci.commit()
    file = slipway.project.job(keys={"ci_code": {"url": url(ci), "path": name}})
    ran = slipway.run(file)
    assert ran.output() == told
    assert ran.code == (1 if "false" in text else 0)


@pytest.mark.parametrize("path, said", [("tools", "is not a file"), ("notes.txt", "no known extension"), ("gone.sh", "no `gone.sh`"), ("link.sh", "is a link"), ("out/passwd", "is a link")])
def test_what_cannot_be_run_is_refused(slipway, ci, path, said):
    ci.write("notes.txt", "notes")
    (ci.path / "link.sh").symlink_to("check.sh")
    (ci.path / "out").symlink_to("/etc")
    ci.commit()
    file = slipway.project.job(keys={"ci_code": {"url": url(ci), "path": path}})
    ran = slipway.run(file).expect(2)
    assert said in ran.of("job_finished")[-1]["reason"], ran


def test_what_was_looked_up_is_shown_and_recorded(slipway, ci, app):
    file = slipway.project.job(keys={"ci_code": {"url": url(ci), "ref": "main"}, "source_code": {"url": url(app), "ref": "main"}}, run="true")
    of_ci, of_app = ci.git("rev-parse", "HEAD"), app.git("rev-parse", "HEAD")
    resolved = slipway("plan", "--resolved", file).expect(0).out
    assert f"{{url: {url(ci)}, ref: \"{of_ci}\"}}  # main" in resolved.replace(f"ref: {of_ci}", f'ref: "{of_ci}"'), resolved
    spec = json.loads(slipway("plan", "--resolved", "--json", file).expect(0).out)[0]
    assert (spec["ci_code"]["revision"], spec["source_code"]["revision"]) == (of_ci, of_app)
    explained = slipway("explain", "job", "--event", "manual").expect(0).out
    assert f"source_code {url(app)} main -> {of_app}" in explained
    slipway.run(file).expect(0)
    viewed = slipway("runs", "view", "latest").expect(0).out
    assert f"ci_code {url(ci)} main -> {of_ci}" in viewed and of_app in viewed
    entry = slipway.project.job(keys={"ci_code": {"url": url(ci), "path": "check.sh"}})
    assert "command: [/job/ci/check.sh]  # by its `#!` line" in slipway("plan", "--resolved", entry).expect(0).out


def test_all_jobs_of_a_run_get_the_same(slipway, app):
    """The branch moves while the first job runs."""
    file = slipway.project.workflow(json.dumps({"workflow": {
        "name": "ci", "defaults": {"image": "host", "network": "none"}, "source_code": {"url": url(app), "ref": "main"},
        "jobs": [{"name": "first", "run": "echo waits; while [ ! -e /job/src/never ] && [ $((i = i + 1)) -lt 30 ]; do sleep 0.1; done; cat hello.txt"},
                 {"name": "second", "depends_on": ["first"], "run": "cat hello.txt"}]}}))
    running = slipway.start("run", "--json", file)
    running.wait_for("waits")
    app.write("hello.txt", "moved\n")
    app.commit("moved")
    ran = running.ended()
    assert ran.output("second") == "hello of the app\n"


def test_a_ref_may_be_of_the_event(slipway, app, tmp_path):
    app.git("update-ref", "refs/pull/7/head", "HEAD")
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"event": "pull_request", "pr": {"number": 7, "base": "main", "head": "fix"}}))
    file = slipway.project.job(keys={"source_code": {"url": url(app), "ref": "refs/pull/{{ pr.number }}/head"}}, run="cat hello.txt")
    assert slipway.run(file, "--event-file", event).expect(0).output() == "hello of the app\n"


@pytest.mark.parametrize("code, said", [
    ({"url": "file:///nowhere/at/all.git"}, "ci.yaml:"), ({"url": "URL", "ref": "mian"}, "main"), ({"url": "STATE"}, "keeps for itself"),
    ({"url": "file://STATE/"}, "keeps for itself"), ({"url": "git+file://localhostSTATE/source"}, "keeps for itself"), ({"url": "/proc/self/rootSTATE/store.db"}, "keeps for itself"),
    ({"url": "LINK"}, "keeps for itself"), ({"url": "file://LINK"}, "keeps for itself"), ({"url": "TURNING/x"}, "looking at")])
def test_a_place_that_is_not_there_is_told_with_its_place(slipway, ci, tmp_path, code, said):
    (tmp_path / "link.git").symlink_to(slipway.state)
    if code["url"] == "LINK":  # the other finds link.git, as git does
        (tmp_path / "link").symlink_to(slipway.state)
    (tmp_path / "turning").symlink_to("turning")
    for word, meant in {"URL": url(ci), "STATE": str(slipway.state), "LINK": str(tmp_path / "link"), "TURNING": str(tmp_path / "turning")}.items():
        code = code | {"url": code["url"].replace(word, meant)}
    told = slipway("run", slipway.project.job(keys={"ci_code": code}, run="true"))
    assert told.code != 0 and said in told.err and "ci_code of job job" in told.err, told


@pytest.mark.parametrize("code", [{"url": "https://user:password@host.invalid/x.git"}, {"url": "../beside"}, {"ref": "main"}, {}, {"path": "../out"}, {"path": "/etc"}])
def test_what_is_no_place_is_an_error_of_the_file(slipway, code):
    assert "E064" in slipway("lint", slipway.project.job(keys={"ci_code": code}, run="true")).expect(2).out


def test_git_works_as_before_in_source_from_elsewhere(slipway, app):
    app.git("tag", "v1")
    file = slipway.project.job(keys={"source_code": {"url": url(app)}}, run="git describe --tags; git status --short; git log --oneline | wc -l; slipway git-info")
    ran = slipway.run(file).expect(0)
    assert ran.output().startswith("v1\n1\n") and app.git("rev-parse", "HEAD") in ran.output() and "the app" in ran.output()


@pytest.mark.skipif(os.geteuid() != 0, reason="keeping the source apart needs a user id for it, which root alone can give")
def test_the_example_of_a_fork(slipway, tmp_path):
    subprocess.run([ROOT / "examples/fork/make-repositories", tmp_path / "made"], check=True)
    of_fork = ("--event-file", tmp_path / "made/pr.json", "--source-url", f"file://{tmp_path}/made/app.git", "--source-ref", "refs/pull/7/head")
    secret = {"env": {"SIGNING_KEY": "the-teams-own-key"}, "cwd": tmp_path / "made/ci"}
    ran = slipway.run(".slipway/workflows/fork.yaml", "--secret", "SIGNING_KEY", *of_fork, **secret).expect(0)
    assert "signed hello of " in ran.output("check", "sign") and "cc -o hello" in ran.output("check", "build") and ran.output("publish") == "the signature holds\n"
    for word in ("STOLEN", "CHANGED", "SPOKE", "the-teams-own-key"):
        assert word not in str(ran)

"""Code from elsewhere than the working tree: Mercurial, Subversion, archives, S3, programs of the operator's."""
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import uuid

import pytest
from harness import ROOT, Project
from servers import FileServer, S3Server, Server, free_port, needs

SHOW = "cat hello.txt; echo revision=$SLIPWAY_REVISION commit=$GIT_COMMIT"
WORKFLOW = "workflow: {name: ci, on: {push: {}}, jobs: [{name: hello, image: host, network: none, run: cat hello.txt}]}\n"


def tool(*argv):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True).stdout.strip()


def show(slipway, url, *arguments):
    return slipway.run(slipway.project.job(run=SHOW), "--source-url", url, *arguments)


def shown(slipway, url, *arguments):
    return show(slipway, url, *arguments).expect(0).output().splitlines()


class Mercurial:
    def __init__(self, path):
        needs("hg")
        self.path = path
        tool("hg", "init", path)

    def commit(self, text):
        (self.path / "hello.txt").write_text(text + "\n")
        tool("hg", "--cwd", self.path, "commit", "-q", "-A", "-u", "ada", "-m", text)
        return tool("hg", "--cwd", self.path, "log", "-r", ".", "-T", "{node}")


@pytest.fixture
def mercurial(tmp_path):
    return Mercurial(tmp_path / "hg")


@pytest.fixture
def subversion(tmp_path):
    """A repository with hello.txt in its trunk, at revision 1."""
    needs("svn")
    repository, tree = tmp_path / "svn", tmp_path / "svn-tree"
    tool("svnadmin", "create", repository)
    (tree / "trunk").mkdir(parents=True)
    (tree / "trunk/hello.txt").write_text("from svn\n")
    tool("svn", "import", "-q", "-m", "first", tree, f"file://{repository}")
    return repository


def archive_of(files, top="project-1.0"):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{top}/{name}" if top else name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return held.getvalue()


# --- Mercurial ---


def test_mercurial_by_branch_by_node_and_after_new_commits(slipway, mercurial):
    first = mercurial.commit("one")
    second = mercurial.commit("two")
    url = f"hg+file://{mercurial.path}"
    assert shown(slipway, url) == ["two", f"revision={second} commit="]
    assert shown(slipway, url, "--source-ref", first) == ["one", f"revision={first} commit="]
    third = mercurial.commit("three")
    assert shown(slipway, mercurial.path) == ["three", f"revision={third} commit="]  # a path: known by its .hg
    refused = show(slipway, url, "--source-ref", "nowhere").expect(2)
    assert "no branch, tag or node `nowhere`" in refused.err


def test_mercurial_over_http(slipway, mercurial, tmp_path):
    mercurial.commit("served")
    port = free_port()
    with Server(["hg", "--cwd", mercurial.path, "serve", "-a", "127.0.0.1", "-p", port], port):
        assert shown(slipway, f"hg+http://127.0.0.1:{port}/")[0] == "served"


def test_a_broken_mercurial_mirror_heals(alone, mercurial):
    mercurial.commit("one")
    shown(alone, mercurial.path)
    [changelog] = alone.state.glob("source/mirrors/*.hg/.hg/store/00changelog.i")
    changelog.write_bytes(b"\0" * 100)
    mercurial.commit("two")
    assert shown(alone, mercurial.path)[0] == "two"


def test_hooks_and_settings_of_a_mercurial_repository_are_not_run(slipway, mercurial, tmp_path):
    mark = tmp_path / "mark"
    mercurial.commit("one")
    (mercurial.path / ".hg/hgrc").write_text(f"[hooks]\npre-serve = touch {mark}\noutgoing = touch {mark}\npreoutgoing = touch {mark}\n"
                                             f"[extensions]\nevil = {tmp_path}/evil.py\n")
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n")
    show(slipway, mercurial.path)
    assert not mark.exists()


# --- Subversion ---


def test_subversion_by_number_and_newest(slipway, subversion):
    url = f"svn+file://{subversion}/trunk"
    assert shown(slipway, url) == ["from svn", "revision=r1 commit="]
    tool("svn", "mkdir", "-q", "-m", "more", f"file://{subversion}/branches")
    assert shown(slipway, url) == ["from svn", "revision=r1 commit="]  # nothing changed in trunk
    assert "No such revision 99" in show(slipway, url, "--source-ref", "r99").expect(2).err


def test_subversion_with_a_password(slipway, subversion, tmp_path):
    (subversion / "conf/svnserve.conf").write_text("[general]\nanon-access = none\nauth-access = read\npassword-db = passwd\n")
    (subversion / "conf/passwd").write_text("[users]\nada = s3cret-of-ada\n")
    port = free_port()
    with Server(["svnserve", "-d", "--foreground", "--listen-host", "127.0.0.1", "--listen-port", port, "-r", subversion], port):
        ran = show(slipway, f"svn://ada:s3cret-of-ada@127.0.0.1:{port}/trunk").expect(0)
        assert ran.output().startswith("from svn\n")
        refused = show(slipway, f"svn://ada:wrong-of-ada@127.0.0.1:{port}/trunk")
        assert refused.code in (4, 5) and "uthenti" in refused.err, refused
    for text in (ran.out, ran.err, refused.err):
        assert "-of-ada" not in text


# --- archives ---


def test_an_archive_by_path_and_by_http(slipway, tmp_path):
    (tmp_path / "site").mkdir()
    archive = tmp_path / "site/project.tar.gz"
    archive.write_bytes(archive_of({"hello.txt": "from an archive\n"}))
    by_path = shown(slipway, archive)
    assert by_path[0] == "from an archive" and by_path[1].startswith("revision=sha256:")
    with FileServer(tmp_path / "site") as server:
        assert shown(slipway, f"{server.url}/project.tar.gz?download=1") == by_path
        missing = show(slipway, f"{server.url}/none.tar.gz").expect(2).err
        assert f"{server.url}/none.tar.gz: curl: (22)" in missing and "404" in missing, missing
    digest = by_path[1].removeprefix("revision=").split()[0]
    archive.write_bytes(archive_of({"hello.txt": "another\n"}))
    assert shown(slipway, archive, "--source-ref", digest) == by_path  # it is kept by its digest
    wrong = show(slipway, archive, "--source-ref", "sha256:" + "0" * 64)
    assert wrong.code != 0 and "the archive has changed" in wrong.err, wrong


def test_the_workflows_of_the_source_run(slipway, tmp_path):
    archive = tmp_path / "with-ci.tgz"
    archive.write_bytes(archive_of({"hello.txt": "own workflow\n", ".slipway/workflows/ci.yaml": WORKFLOW}))
    assert slipway.run("--source-url", archive).expect(0).output() == "own workflow\n"
    assert f"  source\n    {archive}" in slipway("runs", "view").expect(0).out


@pytest.mark.parametrize("name", ["../escape", "/tmp/slipway-escape", "a/../../escape"])
def test_an_archive_that_leads_outside_is_refused(slipway, tmp_path, name):
    archive = tmp_path / "evil.tgz"
    archive.write_bytes(archive_of({name: "x"}, top=""))
    refused = show(slipway, archive)
    assert str(archive) in refused.err
    assert refused.code != 0 and "output" not in {event["type"] for event in refused.events}
    assert not list(tmp_path.rglob("escape")) and not os.path.exists("/tmp/slipway-escape")


def test_foreign_code_shares_no_cache_with_the_project(slipway, tmp_path):
    job = """
        workflow:
          name: ci
          jobs:
            - name: job
              image: host
              network: none
              cache: [{key: poison, paths: [cached]}]
              run: cat cached/who 2>/dev/null || true; mkdir -p cached; echo "$WHO" >cached/who
        """
    file = slipway.project.workflow(job)
    slipway.project.commit()
    archive = tmp_path / "foreign.tgz"
    archive.write_bytes(archive_of({"hello.txt": "x"}))
    assert slipway.run(file, "--source-url", archive, "--env", "WHO=foreign").expect(0).output() == ""
    assert slipway.run(file, "--env", "WHO=project").expect(0).output() == ""
    assert slipway.run(file, "--env", "WHO=project").expect(0).output() == "project\n"


@pytest.mark.parametrize("remote", [None, "https://git.example.org/theirs.git"])
def test_plain_directories_share_no_cache_with_each_other(slipway, tmp_path, remote):
    """Nor do parts of checkouts, whose `.git` may name any remote."""
    key = f"key-{tmp_path.name}-{uuid.uuid4()}"
    job = {"image": "host", "network": "none", "cache": [{"key": key, "paths": ["/job/deps"]}], "run": "cat /job/deps/x 2>/dev/null || true; mkdir -p /job/deps; cp who /job/deps/x"}
    own = slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [{"name": "job", **job}]}}))
    for name in ("one", "two", "three"):
        project = Project(tmp_path / name)
        project.write("part/who", f"{name}\n")
        if remote:
            project.git("remote", "add", "origin", remote)
        else:
            shutil.rmtree(project.path / ".git")
    assert slipway.run(own, "--source-url", tmp_path / "one/part").expect(0).output() == ""
    assert slipway.run(own, "--source-url", tmp_path / "two/part").expect(0).output() == ""
    assert slipway.run(own, "--source-url", tmp_path / "one/../one/part/").expect(0).output() == "one\n"
    for _ in range(2):
        named = slipway.project.job(keys={**job, "source_code": {"url": str(tmp_path / "three/part")}})
        out = slipway.run(named).expect(0).output()
    assert out == "three\n"


# --- S3 ---


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with S3Server(tmp_path_factory.mktemp("s3") / "root") as server:
        yield server


def test_a_tree_and_an_archive_in_s3(slipway, s3):
    s3.put("code", "tree/hello.txt", b"from s3\n")
    s3.put("code", "tree/deep/sp%20ace%2B", b"x")
    s3.put("code", "project.tgz", archive_of({"hello.txt": "archived in s3\n"}))
    slipway.environment |= s3.variables
    tree = shown(slipway, "s3://code/tree")
    assert tree[0] == "from s3" and tree[1].startswith("revision=list:")
    assert shown(slipway, "s3://code/project.tgz")[0] == "archived in s3"
    s3.put("code", "tree/hello.txt", b"newer\n")
    changed = show(slipway, "s3://code/tree", "--source-ref", tree[1].removeprefix("revision=").split()[0])
    assert changed.output().startswith("from s3\n"), changed  # this one is here already
    assert shown(slipway, "s3://code/tree")[0] == "newer"


def test_s3_says_what_is_missing_and_never_the_key(slipway, s3):
    s3.put("code", "tree/hello.txt", b"from s3\n")
    slipway.environment |= s3.variables
    assert "nothing below s3://code/nowhere/" in show(slipway, "s3://code/nowhere").expect(2).err
    slipway.environment["AWS_SECRET_ACCESS_KEY"] = "wrong-secret-value"
    refused = show(slipway, "s3://code/tree")
    assert refused.code == 4 and "403" in refused.err and "wrong-secret" not in refused.err, refused
    del slipway.environment["AWS_ACCESS_KEY_ID"]
    assert "set AWS_ACCESS_KEY_ID" in show(slipway, "s3://code/tree").expect(4).err


# --- programs ---


def test_a_program_of_the_operators_gets_code_from_its_own_system(slipway, tmp_path):
    depot = tmp_path / "depot"
    for number in (1, 2):
        (depot / str(number)).mkdir(parents=True)
        (depot / str(number) / "hello.txt").write_text(f"change {number}\n")
    settings = {"SLIPWAY_CONFIG_SOURCE_PROGRAMS": f"{ROOT}/examples/sources/slipway-source-depot",
                "SLIPWAY_CONFIG_SOURCE_READABLE": str(depot)}
    slipway.environment |= settings
    assert shown(slipway, f"depot://{depot}") == ["change 2", "revision=2 commit="]
    assert shown(slipway, f"depot://{depot}", "--source-ref", "1")[0] == "change 1"
    refused = show(slipway, f"depot://{depot}", "--source-ref", "7").expect(2)
    assert "no change '7'" in refused.err


@pytest.mark.parametrize("script, says", [
    ("echo not json", "JSON"), ("exit 3", "3"), ("""echo '{"type":"result"}'""", "revision"),
    ("""echo '{"type":"error","kind":"denied","message":"ask ada"}'; exit 1""", "ask ada"),
])
def test_a_program_that_fails_is_told_of(slipway, tmp_path, script, says):
    program = tmp_path / "slipway-source-odd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    slipway.environment |= {"SLIPWAY_CONFIG_SOURCE_PROGRAMS": str(program)}
    refused = show(slipway, "odd://x")
    assert refused.code != 0 and says in refused.err, refused


@pytest.mark.parametrize("location", ["nosuch://x/y", "nosuch+file:///x"])
def test_a_kind_of_source_that_nobody_gets_is_named(slipway, location):
    says = "no program `slipway-source-nosuch` is in PATH"
    assert says in show(slipway, location).expect(2).err
    assert says in str(slipway.run(slipway.project.job(run="true", keys={"ci_code": {"url": location}})).expect(2))


def test_eight_checkouts_through_one_mirror_at_once_and_none_is_broken(alone, tmp_path):
    """Eight processes, eight commits, one mirror that is made by whoever comes first; then once more with a broken one."""
    repository = Project(tmp_path / "history")
    commits = []
    for number in range(8):
        for file in range(30):
            repository.write(f"d{file % 5}/f{file}", f"{number} {file}\n" * 200)
        repository.write("number", f"{number}\n")
        commits.append(repository.commit())
    for broken in (False, True):
        if broken:
            [objects] = alone.state.glob("source/mirrors/*.git/objects/pack")
            for pack in objects.glob("*.pack"):
                pack.chmod(0o600)
                pack.write_bytes(pack.read_bytes()[: pack.stat().st_size // 2])
            shutil.rmtree(alone.state / "source/checkouts")
        command = "test $(git rev-parse HEAD) = $SLIPWAY_REVISION; git status --porcelain; git fsck 2>&1; cat number d4/f29 | tail -n 1"
        job = alone.project.write("job.yaml", json.dumps({"job": {"name": "look", "image": "host", "network": "none", "run": command}}))
        runs = [alone.start("run", "--json", "--source-url", f"git+file://{repository.path}", "--source-ref", commit, str(job)) for commit in commits]
        for number, running in enumerate(runs):
            assert running.ended(120).expect(0).output() == f"{number} 29\n"


@pytest.mark.skipif(not shutil.which("git-lfs"), reason="needs git-lfs (tools/install test)")
def test_large_files_come_when_asked_for(alone, tmp_path):
    """From a repository by URL and from the project itself, and git takes them for unchanged without git-lfs in the job."""
    project, bare = alone.project, tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", bare], check=True)
    project.git("lfs", "install", "--local")
    project.git("lfs", "track", "*.bin")
    large = os.urandom(300_000)
    project.write("large.bin", large)
    for name, lfs in (("with", "true"), ("without", "false")):
        project.write(f"{name}.yaml", f"job: {{name: {name}, image: host, network: none, checkout: {{lfs: {lfs}}}, run: 'sha256sum large.bin; git status --porcelain'}}\n")
    project.commit()
    project.git("remote", "add", "origin", f"file://{bare}")
    project.git("push", "-q", "origin", "HEAD:main")
    whole = f"{hashlib.sha256(large).hexdigest()}  large.bin\n"
    for where in (["--commit", "HEAD"], ["--source-url", f"file://{bare}"]):
        assert alone.run(*where, "with.yaml").expect(0).output() == whole
        ran = alone.run(*where, "without.yaml").expect(0)
        assert ran.output().endswith("  large.bin\n") and ran.output() != whole
    shutil.rmtree(bare / "lfs")
    shutil.rmtree(alone.state / "source")
    lost = alone.run("--source-url", f"file://{bare}", "with.yaml").expect(2)
    assert "large.bin" in str(lost) and "remote missing object" in str(lost)
    assert "again" not in str(lost) and len(lost.of("attempt_failed")) == 0

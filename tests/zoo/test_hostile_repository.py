"""A repository, `.git` included, that a stranger made: what slipway on the host reads of it runs nothing, leads to no
other repository, and keeps nobody waiting."""
import os
import subprocess

import pytest
from harness import Project

PATHS = 'workflow: {name: ci, on: {push: {paths: ["**"]}}, jobs: [{name: j, image: host, network: none, run: slipway git-info}]}\n'


@pytest.fixture
def private(tmp_path):
    """Somebody else's repository beside the hostile one."""
    project = Project(tmp_path / "private")
    project.write("secret.txt", "PRIVATE-TEXT\n")
    project.commit("PRIVATE-SUBJECT")
    project.path.chmod(0o700)
    return project


@pytest.fixture
def hostile(slipway):
    slipway.project.write("x", "x\n")
    slipway.project.write(".slipway/workflows/ci.yaml", PATHS)
    slipway.project.commit("hostile")
    return slipway.project


def mark_of(tmp_path):
    """Who runs `touch` of it has run a stranger's command."""
    return tmp_path / "stranger-ran"


def test_a_missing_object_is_not_fetched_by_a_program_of_the_repository(slipway, hostile, tmp_path):
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "-q", "--bare", bare], check=True)
    mark = mark_of(tmp_path)
    for key, value in {"core.repositoryformatversion": "1", "extensions.partialClone": "origin", "remote.origin.url": str(bare),
                       "remote.origin.promisor": "true", "remote.origin.uploadpack": f"touch {mark}; git-upload-pack",
                       "branch.main.remote": ".", "branch.main.merge": "refs/heads/other"}.items():
        hostile.git("config", key, value)
    (hostile.path / ".git/refs/heads/main").write_text("1" * 40 + "\n")
    (hostile.path / ".git/refs/heads/other").write_text("2" * 40 + "\n")
    slipway("plan")
    slipway.run("--job-command", "slipway git-info || true")
    assert not mark.exists()


def test_a_filter_without_a_name_is_not_run(slipway, hostile, tmp_path):
    mark = mark_of(tmp_path)
    hostile.git("branch", "old")
    hostile.git("config", "filter..clean", f"touch {mark}; cat")
    (hostile.path / ".git/info/attributes").write_text("x filter=\n")
    hostile.write("x", "changed\n")
    slipway("run", "--base", "old", "--dry-run")
    assert not mark.exists()


def test_borrowed_objects_of_another_repository_are_not_given_to_jobs(slipway, hostile, private):
    (hostile.path / ".git/objects/info/alternates").write_text(f"{private.path}/.git/objects\n")
    blob = private.git("rev-parse", "HEAD:secret.txt")
    for arguments in (("--git-url", hostile.path), ("--git-url", f"file://{hostile.path}")):
        ran = slipway.run(*arguments, "--job-command", f"git cat-file -p {blob} || true")
        assert "PRIVATE-TEXT" not in str(ran)
    refused = slipway.run("--git-url", hostile.path, "--job-command", "true").expect(4)
    assert "git repack -a -d" in refused.err


def test_a_git_file_that_names_another_repository_is_not_followed(slipway, private, tmp_path):
    planted = tmp_path / "planted"
    planted.mkdir()
    (planted / ".git").write_text(f"gitdir: {private.path}/.git\n")
    (planted / "ci.yaml").write_text("job: {name: j, image: host, network: none, run: 'slipway git-info; slipway changed-files HEAD HEAD || true'}\n")
    refused = slipway.run("--git-url", planted, "--job-command", "cat secret.txt").expect(4)
    assert "does not name it back" in refused.err
    told = slipway.run("ci.yaml", cwd=planted)
    assert "PRIVATE" not in str(told) and private.git("rev-parse", "HEAD") not in str(told)


def test_submodules_lead_to_no_repository_beside(slipway, hostile, private):
    head = private.git("rev-parse", "HEAD")
    hostile.write(".gitmodules", f'[submodule "sub"]\n\tpath = sub\n\turl = {private.path}\n')
    hostile.git("update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    file = hostile.job(run="cat sub/secret.txt || true", keys={"checkout": {"submodules": True}})
    hostile.git("add", "-A", ".gitmodules", ".slipway")
    hostile.git("commit", "-q", "-m", "submodule")
    for more in (("--commit", "HEAD"), ("--source-url", f"file://{hostile.path}")):
        refused = slipway.run(file, *more)
        assert "PRIVATE-TEXT" not in str(refused) and "that lie in its own .git/modules" in str(refused), refused


def test_submodules_that_the_repository_has_itself_still_come(slipway, hostile, private):
    hostile.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(private.path), "sub")
    file = hostile.job(run="cat sub/secret.txt", keys={"checkout": {"submodules": True}})
    hostile.commit("submodule")
    assert slipway.run(file, "--commit", "HEAD").expect(0).output() == "PRIVATE-TEXT\n"
    for url in (hostile.path, f"file://{hostile.path}"):
        assert slipway.run(file, "--source-url", url).expect(0).output() == "PRIVATE-TEXT\n"


def test_a_job_on_code_from_elsewhere_is_told_of_that_code(slipway, hostile, private):
    file = hostile.path / hostile.job(run="slipway git-info")
    told = slipway.run(file, "--source-url", f"file://{hostile.path}", cwd=private.path).expect(0)
    assert "PRIVATE-SUBJECT" not in str(told) and hostile.git("rev-parse", "HEAD") in told.output()


@pytest.mark.parametrize("where", [
    ("branch.main.remote", "https://u:SECRETTOKEN@host.invalid/x.git"), ("remote.https://u:SECRETTOKEN@host.invalid/x.git.fetch", "x"),
    ("remote.query.url", "https://host.invalid/x.git?token=SECRETTOKEN"), ("remote.scp.url", "u:SECRETTOKEN@host.invalid:x.git")])
def test_no_credential_of_the_configuration_reaches_a_job(slipway, hostile, where):
    hostile.git("config", *where)
    assert "SECRETTOKEN" in (hostile.path / ".git/config").read_text()
    file = hostile.job(run="grep -rac SECRETTOKEN /job/src/.git/config /job/source.git/config || true")
    assert {line.split(":")[-1] for line in slipway.run(file).expect(0).output().split()} == {"0"}


def test_configurations_in_odd_places_are_cleaned_as_well(slipway, hostile):
    token = '[remote "x"]\n\turl = https://u:SECRETTOKEN@host.invalid/x.git\n'
    deep = ".git/modules/" + "/".join("abcdefgh") + "/config"
    for name in (".git/worktrees/w/config.worktree", ".git/remotes/old", deep, *(f".git/modules/m{i}/config" for i in range(120))):
        hostile.write(name, token)
    file = hostile.job(run="grep -ra SECRETTOKEN /job/src/.git /job/source.git || echo none")
    assert slipway.run(file).expect(0).output() == "none\n"


@pytest.mark.parametrize("name", [".slipway/workflows/f.yaml", ".git/packed-refs", ".git/config", ".git/commondir", ".slipway/config.yaml"])
def test_a_pipe_in_the_tree_keeps_nobody_waiting(slipway, hostile, name):
    path = hostile.path / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    slipway("plan", timeout=20)  # whatever it says


def test_a_link_that_leads_out_of_the_project_is_no_definition(slipway, hostile, tmp_path):
    (tmp_path / "shadow").write_text("root:PRIVATE-TEXT:1::::::\n")
    (hostile.path / ".slipway/workflows/z.yaml").symlink_to(tmp_path / "shadow")
    for arguments in (("lint",), ("lint", ".slipway/workflows/z.yaml")):
        told = slipway(*arguments)
        assert told.code != 0 and "PRIVATE-TEXT" not in str(told) and "leads out of the project" in told.err, told

"""Git beside untrusted source: what the source leaves where job code's git could come by, and that nothing of it runs."""
import io
import json
import os
import tarfile

import pytest
from harness import BACKENDS, Project
from test_untrusted_source import event, fork, run  # noqa: F401 (fixtures)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="keeping the source apart needs a user id for it, which root alone can give")

# Every way in which a repository makes git run something by itself; `$1`: its directory.
ARM = """
set +e
arm() {
    git -C $1 config core.fsmonitor "echo PLAN''TED fsmonitor >&2; false"
    git -C $1 config filter.f.clean "echo PLAN''TED clean >&2; cat"
    git -C $1 config filter.f.smudge "echo PLAN''TED smudge >&2; cat"
    git -C $1 config core.sshCommand "echo PLAN''TED ssh >&2; false"
    git -C $1 config diff.f.textconv "echo PLAN''TED textconv >&2; cat"
    echo '* filter=f diff=f' >$1/.git/info/attributes
    for hook in post-index-change pre-commit post-checkout reference-transaction; do
        printf "#!/bin/sh\\necho PLAN''TED hook >&2\\n" >$1/.git/hooks/$hook; chmod +x $1/.git/hooks/$hook
    done
    touch $1/*
}
plant() {
    unset GIT_DIR GIT_WORK_TREE
    [ "$1" = . ] || rm -rf $1; git init -q $1; echo x >$1/x
    git -C $1 add -f x; git -C $1 -c user.email=x@x -c user.name=x commit -qm x; echo y >$1/x
    arm $1
}
"""
IGNORE_NONE = """printf '[submodule "zz"]\\n\\tpath = sub\\n\\turl = ./x\\n\\tignore = none\\n' >.gitmodules\n"""
COMMANDS = """
set +e
git config user.email j@j; git config user.name j
for command in "status" "status --ignore-submodules=none" "diff" "diff --submodule=diff" "describe --always --dirty" "ls-files -m" "diff-index HEAD" "log -p --submodule=diff" \
               "add -A" "status" "commit -qm new" "commit -qam more" "stash" "checkout -q HEAD~0" "checkout -q --recurse-submodules HEAD~0" "submodule status" \
               "submodule foreach git status" "submodule update --init" "fetch --recurse-submodules ." "grep --recurse-submodules x" "clean -nd" "reset -q --hard" "status"; do
    echo "$command:"; git $command 2>&1 || true
done
for place in . sub; do (unset GIT_DIR GIT_WORK_TREE; cd $place && git status 2>&1 || true); (cd $place; GIT_DIR=.git git status 2>&1 || true); done
echo ended
"""


@pytest.fixture
def with_gitlink(fork):
    """The stranger's commit says that `sub` is a repository of its own."""
    fork.git("update-index", "--add", "--cacheinfo", f"160000,{fork.git('rev-parse', 'HEAD').strip()},sub")
    fork.git("commit", "-qm", "a gitlink")
    return fork


def after_source(slipway, where, event, planting, then, *more, **keys):
    """What job code printed, which holds the secret, after the source did what it wanted."""
    job = {"name": "j", "image": "host", "network": "none", "timeout": "50s", "secrets": ["KEY"],
           "steps": [{"name": "plant", "run_as": "source", "run": ARM + planting}, {"name": "then", "run": then}], **keys}
    file = slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [job]}}))
    return run(slipway, file, "--source-url", str(where), "--event-file", event(), *more)


@pytest.mark.parametrize("modules", ["", IGNORE_NONE])
def test_a_repository_in_the_source_is_not_entered(slipway, event, with_gitlink, modules):
    ran = after_source(slipway, f"file://{with_gitlink.path}", event, "plant sub\n" + modules, COMMANDS).expect(0)
    said = ran.output(step="then")
    assert "ended" in said and "PLANTED" not in said and "***" not in said, said
    assert ("is-not-read" in said) or not modules, said


@pytest.mark.parametrize("planting", ["plant n; plant m/deeper", "rm .git; plant .", "rm .git; plant hid; mv hid/.git/* .; git config --file config core.bare true",
                                      "plant hid; mkdir sub; echo 'gitdir: ../hid/.git' >sub/.git", "plant hid; mkdir -p sub; ln -s ../hid/.git sub/.git"])
def test_nor_where_job_code_adds_it_as_a_gitlink(slipway, event, with_gitlink, planting):
    said = after_source(slipway, f"file://{with_gitlink.path}", event, planting + "\n" + IGNORE_NONE, COMMANDS).expect(0).output(step="then")
    assert "ended" in said and "PLANTED" not in said, said


def test_what_would_have_run_runs_without_the_wall(slipway, event, with_gitlink):
    """The bait is one: else the tests above tell nothing."""
    then = "set +e; for name in $(env | grep -o '^GIT_CONFIG[A-Z_0-9]*'); do unset $name; done; git status 2>&1"
    said = after_source(slipway, f"file://{with_gitlink.path}", event, "plant sub\n" + IGNORE_NONE, then).output(step="then")
    assert "PLANTED fsmonitor" in said and "PLANTED clean" in said, said


def test_git_of_job_code_is_quiet_about_submodules_and_works_elsewhere(slipway, event, with_gitlink):
    then = """git status --short
unset GIT_DIR GIT_WORK_TREE; git init -q /job/own; cd /job/own; echo x >x; git add x; git -c user.name=j -c user.email=j@j commit -qm own; git log --format=%s"""
    said = after_source(slipway, f"file://{with_gitlink.path}", event, "plant sub", then).expect(0).output(step="then")
    assert said == "own\n", said


def test_checked_out_submodules_work_on_both_sides(slipway, event, fork, tmp_path):
    inner = Project(tmp_path / "inner")
    inner.write("x", "of the submodule\n")
    inner.commit("inner")
    fork.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--name", "sub", f"file://{inner.path}", "libs/sub")
    fork.git("commit", "-qm", "a submodule")
    look = "git status --short; git submodule status; cat libs/sub/x\n"
    ran = after_source(slipway, fork.path, event, look + "cd libs/sub; git log --format=%s; git status --short", look, checkout={"submodules": True})
    commit = inner.git("rev-parse", "HEAD").strip()
    assert f"{commit} libs/sub" in ran.expect(0).output(step="then") and "of the submodule" in ran.output(step="then"), ran
    assert f"{commit} libs/sub" in ran.output(step="plant") and "\ninner\n" in ran.output(step="plant"), ran


# --- a `.git` that came with the code ---

def with_repository(tmp_path, how):
    """An archive whose `.git` its author wrote, armed."""
    made = Project(tmp_path / "made")
    made.write("hello.txt", "hello of the archive\n")
    made.commit("made")
    git = made.path / ".git"
    armed = "[core]\n\tfsmonitor = \"echo PLAN''TED fsmonitor >&2; false\"\n\trepositoryformatversion = 0\n"
    if how == "hook":
        made.write(".git/hooks/post-index-change", "#!/bin/sh\necho PLAN''TED hook >&2\n").chmod(0o755)
    elif how == "config":
        made.write("evilcfg", armed)
        (git / "config").unlink()
        (git / "config").symlink_to("../src/evilcfg")
    elif how == "commondir":
        (made.path / "common").mkdir()
        for name in ("objects", "refs"):
            (git / name).rename(made.path / "common" / name)
        made.write("common/config", armed)
        (git / "commondir").write_text("../src/common\n")
    elif how == "file":
        git.rename(made.path / "kept")
        made.write("kept/config", armed)
        (made.path / ".git").write_text("gitdir: kept\n")
    return made


def packed(made):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as tar:
        tar.add(made.path, arcname="project-1.0")
    return held.getvalue()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("how", ["hook", "config", "commondir", "file"])
def test_a_repository_that_came_with_the_code_is_none(slipway, backend, event, tmp_path, how):
    made = with_repository(tmp_path, how)
    then = "set +e; touch hello.txt 2>/dev/null; git status 2>&1; git -c safe.directory='*' status 2>&1; env -u GIT_DIR git -c safe.directory='*' status 2>&1; ls -a; cat hello.txt"
    where = tmp_path / "project.tar.gz"
    where.write_bytes(packed(made))
    file = slipway.project.job(keys={"secrets": ["KEY"]}, run=then)
    said = run(slipway, file, "--source-url", str(where), "--event-file", event()).expect(0).output()
    assert "hello of the archive" in said and "PLANTED" not in said and "\n.git\n" not in said and "not a git repository: '/job/git'" in said, said
    # Nor where the source is nobody's in particular, nor as job code.
    plain = slipway.run(slipway.project.job(run="ls -a; git status 2>&1 || true"), "--source-url", str(where)).expect(0).output()
    code = slipway.run(slipway.project.job(keys={"ci_code": {"url": str(where)}}, run="cd /job/ci; ls -a; git status 2>&1 || true")).expect(0).output()
    for shown in (plain, code):
        assert "hello.txt" in shown and "\n.git\n" not in shown and "PLANTED" not in shown, shown


def test_a_repository_with_links_is_refused_beside_job_code(slipway, event):
    git = slipway.project.path / ".git"
    (git / "info").rename(git / "info-elsewhere")
    (git / "info").symlink_to("info-elsewhere")
    file = slipway.project.workflow(json.dumps({"job": {"image": "host", "network": "none", "steps": [{"name": "s", "run_as": "source", "run": "true"}, {"name": "t", "run": "git status"}]}}))
    ran = slipway.run(file)
    assert ran.code != 0 and "`.git/info` of the source is a link" in str(ran), ran


def test_without_a_checkout_git_takes_nothing_that_source_made(slipway, event, fork):
    said = after_source(slipway, f"file://{fork.path}", event, "plant /job/src/own; cp -r own/. /job/src",
                        "set +e; cd /job/src; for way in '' 'env -u GIT_DIR'; do for in in . own; do (cd $in; $way git -c safe.directory='*' status 2>&1 || true); done; done; echo ended",
                        checkout="none").expect(0).output(step="then")
    assert "ended" in said and "PLANTED" not in said, said

"""The working tree: what a job sees of it, and that it is never written."""
import json
import os
import subprocess

import pytest
from harness import Project, Slipway


def test_the_working_tree_is_seen_as_it_is_and_never_written(slipway):
    project = slipway.project
    project.write(".gitignore", "*.ignored\n")
    project.write("tracked.txt", "old\n")
    project.commit()
    project.write("tracked.txt", "changed\n")
    project.write("new.txt", "untracked\n")
    project.write("some.ignored", "ignored\n")
    file = project.job(run="""
        cat tracked.txt new.txt some.ignored
        echo written >tracked.txt; rm new.txt; mkdir made; echo x >made/file; chmod 777 some.ignored
        """)
    before = project.snapshot()
    ran = slipway.run(file).expect(0)
    assert ran.output() == "changed\nuntracked\nignored\n"
    assert project.snapshot() == before


def test_two_jobs_do_not_see_each_others_writes(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: first, run: touch mark /tmp/mark}
            - {name: second, depends_on: [first], run: test ! -e mark -a ! -e /tmp/mark}
        """)
    slipway.run(file).expect(0)


def test_commit_takes_that_commit_and_not_the_tree(slipway):
    project = slipway.project
    file = project.job(run="cat tracked.txt; ls")
    project.write("tracked.txt", "committed\n")
    first = project.commit()
    project.write("tracked.txt", "dirty\n")
    project.write("new.txt")
    ran = slipway.run(file, "--commit", first).expect(0)
    assert ran.output().startswith("committed\n") and "new.txt" not in ran.output()


def test_a_project_without_git_runs_as_well(tmp_path, slipway):
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "ci.yaml").write_text("job: {name: job, image: host, network: none, run: ls}\n")
    ran = slipway.run("ci.yaml", cwd=plain).expect(0)
    assert "ci.yaml" in ran.output()


@pytest.mark.nat
def test_a_job_without_a_file(slipway):
    slipway.project.write("hello.txt", "hello\n")
    commit = slipway.project.commit()
    ran = slipway.run("--git-url", slipway.project.path, "--git-ref", commit, "--job-command", "cat hello.txt").expect(0)
    assert "hello" in ran.output()


@pytest.mark.nat
def test_git_info_is_of_the_code_that_the_job_has(slipway):
    slipway.project.write("a", "1")
    commit = slipway.project.commit("the message")
    slipway.project.commit("a later one")
    ran = slipway.run("--git-url", slipway.project.path, "--git-ref", commit, "--job-command", "slipway git-info").expect(0)
    info = json.loads(ran.output())
    assert (info["sha"], info["short_sha"], info["commit"]["subject"]) == (commit, commit[:7], "the message")
    info = json.loads(slipway.run("--commit", commit, "--job-command", "slipway git-info").expect(0).output())
    assert (info["sha"], info["commit"]["subject"]) == (commit, "the message")


def test_git_works_inside_the_job(slipway):
    slipway.project.write("a", "1")
    commit = slipway.project.commit("the message")
    file = slipway.project.job(run="git log -1 --format=%s; git rev-parse HEAD; git status --porcelain | head -1")
    slipway.project.commit("with workflow")
    ran = slipway.run(file).expect(0)
    assert "with workflow" in ran.output(), ran
    assert commit


def test_path_filters_compare_with_the_base(slipway):
    project = slipway.project
    project.workflow("""
        workflow:
          name: docs
          on: {push: {paths: ["docs/**"]}}
          jobs: [{name: docs, image: host, network: none, run: "true"}]
        """, "docs")
    project.workflow("""
        workflow:
          name: code
          on: {push: {paths: ["**", "!docs/**"]}}
          jobs: [{name: code, image: host, network: none, run: "true"}]
        """, "code")
    base = project.commit("base")
    project.git("checkout", "-q", "-b", "topic")
    project.write("docs/page.md", "text\n")
    project.commit("docs only")
    ran = slipway.run("--base", base)
    names = {event["job"] for event in ran.of("job_started")}
    assert ran.code == 0 and names == {"docs"}, ran


@pytest.mark.parametrize("event, expected", [("push", {"on-push"}), ("tag", {"on-tag"}), ("manual", {"on-manual"})])
def test_without_a_file_the_event_chooses_the_workflows(slipway, event, expected):
    for kind in ("push", "tag", "manual"):
        slipway.project.workflow(f"""
            workflow:
              name: on-{kind}
              on: {{{kind}: {{}}}}
              jobs: [{{name: on-{kind}, image: host, network: none, run: "true"}}]
            """, kind)
    slipway.project.commit()
    ran = slipway.run("--event", event).expect(0)
    assert {e["job"] for e in ran.of("job_started")} == expected


def test_a_branch_filter_that_does_not_match_starts_nothing(slipway):
    slipway.project.workflow("""
        workflow:
          name: ci
          on: {push: {branches: ["release/*"]}}
          jobs: [{name: job, image: host, network: none, run: "true"}]
        """)
    slipway.project.commit()
    ran = slipway("run")
    assert "job |" not in ran.out


def test_names_that_look_like_options_or_paths_are_only_names(slipway):
    project = slipway.project
    project.write("-rf", "x")
    project.write("with space/and\"quote.txt", "y")
    project.write("ünïcode.txt", "z")
    before = project.snapshot()
    ran = slipway.run(project.job(run="cat ./-rf 'with space/and\"quote.txt' ünïcode.txt")).expect(0)
    assert ran.output() == "xyz\n"
    after = project.snapshot()
    after = {name: entry for name, entry in after.items() if name in before}
    assert after == before


def test_started_in_a_subdirectory_it_finds_the_project(slipway):
    slipway.project.job(run="cat top.txt")
    slipway.project.write("top.txt", "top\n")
    below = slipway.project.path / "a" / "b"
    below.mkdir(parents=True)
    slipway.project.commit()
    assert "top" in slipway.run("../../.slipway/workflows/ci.yaml", cwd=below).expect(0).output()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_a_project_whose_file_system_has_no_idmapped_mounts_is_shown_as_the_job_s(tmp_path, session_state):
    place = tmp_path / "place"
    place.mkdir()
    # As a tmpfs is before Linux 6.3.
    mounted = subprocess.run(["mount", "-t", "ramfs", "none", str(place)], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no ramfs here: {mounted.stderr.strip()}")
    try:
        with Slipway(tmp_path, state=session_state, project=Project(place / "project")) as slipway:
            slipway.project.write("lib/kept", "kept\n")
            os.utime(slipway.project.path / "lib/kept", (1_000_000_000, 1_000_000_000))
            slipway.project.write("edited", "before\n")
            (slipway.project.path / "link").symlink_to("lib")
            file = slipway.project.job(run="""
                stat -c '%n %U %G %Y' lib/kept
                stat -c '%n %U' . .git lib link edited | sort -u -k2 | cut -d' ' -f2
                cat link/kept; echo after >> edited; cat edited
                git status --porcelain edited; git log -1 --format=%s
                mv lib other && cat other/kept
            """)
            slipway.project.commit("first")
            before = slipway.project.snapshot()
            ran = slipway.run(file).expect(0)
            assert ran.output() == "lib/kept runner runner 1000000000\nrunner\nkept\nbefore\nafter\n M edited\nfirst\nkept\n", ran
            assert slipway.project.snapshot() == before
    finally:
        subprocess.run(["umount", str(place)], check=True)

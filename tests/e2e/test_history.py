"""runs and logs over the local history."""
import json
import re

from harness import wait_until


def ran_once(slipway, run="echo one; echo two; echo three"):
    return slipway.run(slipway.project.job(steps=[("first", run), ("second", "echo other")])).expect(0).finished["run"]


def test_runs_are_listed_newest_first_and_viewed(alone):
    first, second = ran_once(alone), ran_once(alone)
    listed = alone("runs", "ls").expect(0).out
    assert listed.index(second[-6:]) < listed.index(first[-6:])
    viewed = alone("runs", "view", second).expect(0).out
    assert "job" in viewed and "first" in viewed and "succeeded" in viewed
    json.loads(alone("runs", "view", second, "--json").expect(0).out)


def test_an_unknown_run_is_an_error(alone):
    alone("runs", "view", "nope").expect(2)


def test_logs_by_job_and_step_with_grep_and_since_line(alone):
    run = ran_once(alone)
    assert "one" in alone("logs", run, "job").expect(0).out
    assert "one" not in alone("logs", run, "job", "--step", "second").expect(0).out
    grepped = alone("logs", run, "--grep", "^t").expect(0).out
    assert "two" in grepped and "three" in grepped and "one" not in grepped
    since = alone("logs", run, "job", "--since-line", "3").expect(0).out
    assert "one" not in since and "three" in since
    stamped = alone("logs", run, "--timestamps").expect(0).out
    assert "T" in stamped and ":" in stamped


def test_logs_follow_from_another_process(alone):
    running = alone.start("run", "--json", alone.project.job(run="for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 0.2; done"))
    running.wait_for('"text":"line 1"')
    followed = alone("logs", "-f", "latest", timeout=30).expect(0)
    assert "line 1\n" in followed.out and "line 10\n" in followed.out
    assert followed.out.count("line 5\n") == 1
    running.ended().expect(0)


def test_a_removed_run_is_gone_with_its_files(alone):
    run = ran_once(alone)
    assert (alone.state / "runs" / run).exists()
    alone("runs", "rm", run, "--yes").expect(0)
    assert not (alone.state / "runs" / run).exists()
    alone("runs", "view", run).expect(2)


def test_a_log_past_the_cap_keeps_head_and_tail_and_says_what_was_cut(slipway):
    file = slipway.project.job(run="seq 1 400000")
    ran = slipway.run(file, "--log-cap", "1MiB").expect(0)
    logged = slipway("logs", ran.finished["run"]).expect(0).out
    assert "| 1\n" in logged or "\n1\n" in logged or logged.startswith("1\n") or " 1\n" in logged
    assert "400000" in logged and "200000\n" not in logged or len(logged) < 4_000_000


def test_a_run_is_shown_with_all_that_its_jobs_said_and_stored(alone):
    file = alone.project.job(run="""
        slipway annotate --level error --file a.c --line 3 'bad thing'; slipway annotate 'by the way'
        slipway trigger --job next --run true; mkdir -p deps; echo 1 >deps/a; echo x >out.txt
        """, keys={"artifacts": [{"name": "out", "paths": ["out.txt"]}], "cache": [{"key": "k", "paths": ["deps"]}]})
    alone.run(file).expect(0)
    text = alone("runs", "view").expect(0).out
    for part in ("✗ error: a.c:3: bad thing", "! notice: by the way", "! asks for job next", "! cache k: nothing stored yet", "! cache k: saved, 2 B"):
        assert part in text, text
    assert re.search(r"out +2 B  1 file, of job", text) and re.search(r"✓ run .* ms  cpu \d", text), text
    run = json.loads(alone("runs", "view", "--json").expect(0).out)
    attempt = run["jobs"][0]["attempts"][0]
    assert [(a["level"], a["file"], a["line"], a["message"]) for a in attempt["annotations"]] == [
        ("error", "a.c", 3, "bad thing"), ("notice", "", 0, "by the way")]
    assert [c["name"] for c in attempt["caches_saved"]] == ["k"] and len(attempt["triggers"]) == 1
    assert attempt["notices"] == [{"code": "cache", "message": "cache k: nothing stored yet"}]
    alone.run(file).expect(0)
    assert "! cache k: restored" in alone("runs", "view").expect(0).out


def test_a_run_whose_slipway_was_killed_is_not_shown_as_running(alone):
    host = {"image": "host", "network": "none"}
    running = alone.start("run", alone.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [
        host | {"name": "first", "run": "echo begun; sleep 60"}, host | {"name": "second", "depends_on": ["first"], "run": "true"}]}})))
    running.wait_for(r"\| begun")
    shown = alone("runs", "view").expect(0).out
    assert "● ci running for " in shown and "● first  running" in shown and "second  waiting" in shown
    running.signal(9)
    running.ended()
    wait_until(lambda: "did not end" in alone("runs", "ls").expect(0).out)
    shown = alone("runs", "view").expect(0).out
    assert "⊘ ci did not end" in shown and "⊘ first  did not end" in shown and "⊘ second  never began" in shown and "running" not in shown
    assert "running" not in alone("runs", "report", "-o", "-").expect(0).out.split("<script")[0].split("<body>")[1]


def test_a_job_without_a_log_says_why(alone):
    alone.run(alone.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [
        {"image": "host", "network": "none", "name": "first", "run": "exit 1", "artifacts": [{"name": "kept", "paths": ["*"], "when": "always"}]},
        {"image": "host", "network": "none", "name": "second", "depends_on": ["first"], "run": "true"}]}}))).expect(1)
    assert alone("logs", "latest", "second").expect(0).out == "... second: there is no log: skipped: first failed\n"
    assert alone("logs", "latest", "second", "--json").expect(0).out == ""
    assert "kept" in alone("runs", "artifacts").expect(0).out, "of the latest run, as the other commands"

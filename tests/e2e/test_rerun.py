"""Runs that begin where an earlier one was: `runs rerun`, and a shell in a job of it."""
import json

from harness import parse_events
from terminal import Person

SECRET = "s3cr3t-of-the-rerun-tests-2342"
GRAPH = """
    workflow:
      name: ci
      defaults: {image: host, network: none}
      jobs:
        - name: make
          steps:
            - {name: build, run: "mkdir out; date +%s%N >out/stamp; slipway output stamp \\"$(cat out/stamp)\\""}
          artifacts: [{name: dist, paths: ["out/**"]}]
          outputs: [stamp]
        - {name: other, run: echo other}
        - name: check
          depends_on: [make]
          uses_artifacts: [dist]
          env: {STAMP: "{{ outputs.make.stamp }}"}
          steps:
            - {name: look, run: "echo looking; cat /job/inputs/dist/out/stamp; echo $STAMP"}
            - {name: judge, run: "test -e fixed"}
        - {name: after, depends_on: [check], run: echo after}
    """


def reasons(ran):
    return {event["job"]: event["reason"] for event in ran.of("job_finished")}


def failed_graph(alone):
    file = alone.project.workflow(GRAPH)
    alone.project.commit()
    ran = alone.run(file).expect(1)
    assert ran.outcomes() == {"make": "succeeded", "other": "succeeded", "check": "failed", "after": "skipped"}
    return ran


def rerun(slipway, *arguments, **options):
    ran = slipway("runs", "rerun", "--json", *arguments, **options)
    ran.events = parse_events(ran.out)
    return ran


def test_what_failed_runs_again_on_what_is_kept(alone):
    first = failed_graph(alone)
    alone.project.write("fixed", "")
    ran = rerun(alone, "1", "--failed").expect(0)
    assert "run #1 again, on the working tree as it is now" in ran.err
    assert ran.outcomes() == {"make": "succeeded", "other": "succeeded", "check": "succeeded", "after": "succeeded"}
    assert reasons(ran)["make"] == "kept from run #1" and not ran.job("make")["steps"]
    stamp = ran.output(job="check", step="look").splitlines()[1:]
    assert len(stamp) == 2 and stamp[0] == stamp[1]  # the artifact and the output of the first run
    assert {"make", "other"}.isdisjoint(event["job"] for event in ran.of("output"))
    view = json.loads(alone("runs", "view", "latest", "--json").expect(0).out)
    assert view["run"] != first.finished["run"] and [a["job"] for a in view["artifacts"]] == ["make"]
    assert "kept from run #1" in alone("explain", "make", "--run", "latest").expect(0).out


def test_all_of_it_or_some_jobs(alone):
    failed_graph(alone)
    everything = rerun(alone, "1").expect(1)
    assert "kept from run #1" not in reasons(everything).values()
    some = rerun(alone, "1", "other").expect(1)
    why = reasons(some)
    assert why["other"] == "" and all(why[name] == "kept from run #1" for name in ("make", "check", "after"))
    assert some.outcomes()["check"] == "failed"  # as it was
    down = rerun(alone, "1", "make").expect(1)
    assert {event["job"] for event in down.of("output")} == {"check"}  # make printed nothing
    assert "did you mean `other`?" in rerun(alone, "1", "otter").expect(2).err


def test_the_same_commit_where_the_tree_has_moved_on(alone):
    file = alone.project.job(run="cat text; false")
    alone.project.write("text", "old\n")
    alone.project.commit()
    alone.run(file).expect(1)
    alone.project.write("text", "new\n")
    alone.project.commit()
    ran = rerun(alone).expect(1)
    assert ran.output() == "old\n" and "the working tree has moved on since" in ran.err


def test_inputs_and_variables_are_those_of_then(alone):
    file = alone.project.workflow("""
        workflow:
          name: ci
          on: {manual: {inputs: {target: {type: string, default: nowhere}}}}
          defaults: {image: host, network: none}
          jobs:
            - {name: job, env: {TARGET: "{{ inputs.target }}"}, run: "echo $TARGET $EXTRA"}
        """)
    alone.run(file, "--event", "manual", "-i", "target=here", "-e", "EXTRA=more").expect(0)
    assert rerun(alone, "latest").expect(0).output() == "here more\n"


def test_it_runs_on_what_the_flags_of_then_said(alone):
    file = alone.project.job(run="echo here", keys={"image": str(alone.home / "no-such-image")})
    assert alone.run(file).code != 0
    alone.run("--image", "host", file).expect(0)
    assert rerun(alone, "latest").expect(0).output() == "here\n"
    assert rerun(alone, "latest").expect(0).output() == "here\n"  # one that was run again too


def test_secrets_are_asked_for_again_and_only_those_that_are_needed(alone):
    file = alone.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: one, secrets: [FIRST], run: test -n "$FIRST"}
            - {name: two, depends_on: [one], secrets: [SECOND], run: 'test "$SECOND" = right'}
        """)
    alone.run(file, "-s", "FIRST", "-s", "SECOND", env={"FIRST": SECRET, "SECOND": "wrong-" + SECRET}).expect(1)
    asked = rerun(alone, "--failed", "--no-input").expect(2)
    assert "SECOND" in asked.err and "FIRST" not in asked.err
    rerun(alone, "--failed", "--no-input", env={"SECOND": "right"}).expect(0)
    for stored in alone.state.rglob("*"):
        assert not stored.is_file() or SECRET.encode() not in stored.read_bytes()


STEPS = [("prepare", "echo prepared >made; echo preparing"), ("test", "cat made; test -e mended"), ("last", "echo last")]


def test_from_a_step_on_with_the_workspace_that_was_kept(alone):
    file = alone.project.job(steps=STEPS)
    alone.project.commit()
    alone.run("--keep", file).expect(1)
    alone.project.write("mended", "")
    ran = rerun(alone, "latest", "--from", "test").expect(0)
    assert ran.output() == "prepared\nlast\n"
    steps = {step["name"]: step["outcome"] for step in ran.job("job")["steps"]}
    assert steps == {"prepare": "skipped", "test": "succeeded", "last": "succeeded"}
    assert "no job of run #1 has a step `tset`; did you mean `test`?" in rerun(alone, "1", "--from", "tset").expect(2).err


def test_from_a_step_on_without_a_workspace_runs_the_steps_before(alone):
    alone.run(alone.project.job(steps=STEPS)).expect(1)
    alone.project.write("mended", "")
    ran = rerun(alone, "--from", "test").expect(0)
    assert "its steps before `test` run again" in ran.err and ran.output() == "preparing\nprepared\nlast\n"


def test_a_job_whose_artifacts_are_gone_runs_again(alone):
    failed_graph(alone)
    for note in (alone.state / "runs").glob("*/artifacts/*.json"):
        note.unlink()
    alone.project.write("fixed", "")
    ran = rerun(alone, "--failed").expect(0)
    assert "job make runs again: of what it made, `dist` is gone" in ran.err
    assert reasons(ran)["make"] == "" and reasons(ran)["other"] == "kept from run #1"


def test_artifacts_that_are_gone_are_missed_however_often_they_were_kept(alone):
    failed_graph(alone)
    rerun(alone, "1", "--failed").expect(1)
    rerun(alone, "2", "--failed").expect(1)
    for note in (alone.state / "runs").glob("*/artifacts/*.json"):
        note.unlink()
    alone.project.write("fixed", "")
    ran = rerun(alone, "3", "--failed").expect(0)
    assert "job make runs again: of what it made, `dist` is gone" in ran.err


FAN = """
    workflow:
      name: ci
      defaults: {image: host, network: none}
      jobs:
        - name: list
          run: slipway output names '["eu","us"]'
          outputs: [names]
        - name: deploy
          depends_on: [list]
          for_each: {in: "outputs.list.names", as: REGION}
          steps: [{name: push, run: "echo to $REGION; test $REGION = eu || test -e fixed"}]
        - {name: after, depends_on: [deploy], run: echo after}
    """


def test_instances_that_are_known_only_later_run_again_by_name_and_by_outcome(alone):
    file = alone.project.workflow(FAN)
    alone.project.commit()
    ran = alone.run(file).expect(1)
    assert ran.outcomes() == {"list": "succeeded", "deploy (eu)": "succeeded", "deploy (us)": "failed", "after": "skipped"}
    again = rerun(alone, "1", "deploy (us)").expect(1)
    assert again.output() == "to us\n" and reasons(again)["deploy (eu)"] == "kept from run #1"
    assert sorted(rerun(alone, "1", "deploy").expect(1).output().splitlines()) == ["to eu", "to us"]
    assert sorted(rerun(alone, "1", "list").expect(1).output().splitlines()) == ["to eu", "to us"]  # what depends on it
    alone.project.write("fixed", "")
    assert rerun(alone, "1", "--failed").expect(0).output() == "to us\nafter\n"
    assert "name one of them" in rerun(alone, "1", "--from", "push").expect(2).err
    assert "made it" in alone("runs", "shell", "1", "deploy (us)", "--", "echo", "made it").expect(0).out


def test_an_instance_runs_again_where_another_had_failed(alone):
    file = alone.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - name: test
              matrix: {axes: {compiler: [gcc, clang]}, max_parallel: 1}
              env: {COMPILER: "{{ matrix.compiler }}"}
              run: echo with $COMPILER; test $COMPILER = clang
        """)
    assert alone.run(file).expect(1).outcomes()["test (clang)"] == "cancelled"
    ran = rerun(alone, "1", "test (clang)").expect(1)
    assert ran.outcomes() == {"test (gcc)": "failed", "test (clang)": "succeeded"} and ran.output() == "with clang\n"


def test_variables_that_a_kept_job_set_are_set(alone):
    alone.project.write(".reactorcide/workflows/v.yaml", """
        name: variables
        on: {events: [push]}
        jobs:
          first: {image: host, command: 'printf ''{"vars": {"colour": "red"}}'' > $RC_WF_OUTPUT_FILE'}
          second: {image: host, command: echo "$RC_WF_VARS_JSON"; exit 1, needs: [first]}
        """)
    said = alone.run(".reactorcide/workflows/v.yaml").expect(1).output("second")
    assert "red" in said
    for before in ("1", "2"):  # also where it was kept in that run
        ran = rerun(alone, before, "second").expect(1)
        assert ran.output("second") == said and reasons(ran)["first"].startswith("kept from")


def test_a_dry_run_says_what_is_kept(alone):
    failed_graph(alone)
    ran = alone("runs", "rerun", "--failed", "--dry-run").expect(0)
    assert "kept from run #1" in ran.out


# --- a shell ---

def test_a_command_in_a_new_sandbox_with_the_kept_workspace(alone):
    file = alone.project.job(steps=STEPS, keys={"secrets": ["TOKEN"], "env": {"COLOUR": "blue"}, "concurrency": {"group": "deploy"}, "condition": "event == 'push'"})
    alone.run("--keep", "-s", "TOKEN", file, env={"TOKEN": SECRET}).expect(1)
    before = alone("runs", "ls", "--json").expect(0).out
    ran = alone("runs", "shell", "latest", "job", "--", "sh", "-c", "cat made; echo $COLOUR $TOKEN; pwd; cat; exit 6", env={"TOKEN": SECRET}, stdin="typed\n")
    assert (ran.code, ran.out) == (6, f"prepared\nblue {SECRET}\n/job/src\ntyped\n"), ran
    assert alone("runs", "ls", "--json").expect(0).out == before  # it is no run
    asked = alone("runs", "shell", "--no-input", "--", "true")
    assert asked.code == 2 and "TOKEN" in asked.err
    plain = alone("runs", "shell", "1", "--", "true", env={"TOKEN": SECRET})
    assert plain.code == 0
    for stored in alone.state.rglob("*"):
        assert not stored.is_file() or SECRET.encode() not in stored.read_bytes()


def test_a_shell_at_a_terminal(alone):
    alone.run(alone.project.job(steps=STEPS)).expect(1)
    with Person(alone, "runs", "shell") as person:
        person.wait_for("no workspace of job job was kept")
        person.wait_for(r"[$#] ")
        person.type("ls made || echo pla''in; exit 4\r")
        person.wait_for("plain")
        assert person.ended(20) == 4 and person.is_sane()
    assert "say what to run behind" in alone("runs", "shell").expect(2).err


def test_the_jobs_that_it_depends_on_are_kept(alone):
    failed_graph(alone)
    ran = alone("runs", "shell", "latest", "check", "--", "sh", "-c", "test $STAMP = $(cat /job/inputs/dist/out/stamp) && echo same").expect(0)
    assert ran.out == "same\n" and "left out" not in ran.err
    several = alone("runs", "shell", "latest", "--", "true").expect(2)
    assert "has several jobs: which one? after, check, make, other" in several.err


def test_a_shell_is_over_with_its_command_wherever_the_job_stands(alone):
    alone.run(alone.project.job(steps=[("one", "sleep 0.3"), ("two", "echo two"), ("three", "echo three")])).expect(0)
    ran = alone("runs", "shell", "--", "slipway", "continue")  # it is held again before its second step
    assert ran.code == 0, ran
    assert alone("runs", "shell", "--", "sh", "-c", "slipway continue; sleep 1; slipway continue; exit 4").code == 4


def test_a_job_is_looked_into_however_those_ended_that_it_depends_on(alone):
    file = alone.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: test, run: exit 1}
            - {name: report, depends_on: [test], condition: any_failed, run: echo reporting}
        """)
    alone.run(file).expect(1)
    assert alone("runs", "shell", "latest", "report", "--", "echo", "inside").expect(0).out == "inside\n"


def test_a_sandbox_that_cannot_be_made_says_why(alone):
    image = alone.home / "image"
    file = alone.project.job(run="true", keys={"image": str(image)})
    alone.run(file)
    ran = alone("runs", "shell", "latest", "--", "true")
    assert ran.code not in (0, 2) and "there is no sandbox to look into" in ran.err


def test_into_a_checkout_that_is_kept_apart_nothing_is_put_back(alone):
    alone.project.commit()
    file = alone.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [{"name": "job", "image": "host", "network": "none", "steps": [
        {"name": "theirs", "run_as": "source", "run": "echo made >made"}, {"name": "judge", "run": "exit 3"}]}]}}))
    alone.run("--keep", file).expect(1)
    assert "the source of job job is kept apart" in alone("runs", "rerun", "--from", "judge").expect(2).err
    looked = alone("runs", "shell", "latest", "job", "--", "sh", "-c", "ls; echo looked").expect(0)
    assert looked.out.endswith("looked\n") and "made" not in looked.out.split()

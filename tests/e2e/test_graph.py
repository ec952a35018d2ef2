"""Matrix, for_each, outputs, conditions, parallel steps: the graph as it runs."""
import json


def test_matrix_instances_are_named_by_their_values(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - name: test
              matrix:
                axes: {compiler: [gcc, clang], std: ["17", "20"]}
                exclude: [{compiler: clang, std: "17"}]
                include: [{compiler: gcc, std: "23"}]
              env: {WHAT: "{{ matrix.compiler }}/{{ matrix.std }}"}
              run: echo "$WHAT"
            - {name: after, depends_on: [test], run: "true"}
        """)
    ran = slipway.run(file).expect(0)
    assert set(ran.outcomes()) == {"test (gcc, 17)", "test (gcc, 20)", "test (gcc, 23)", "test (clang, 20)", "after"}
    assert ran.output("test (clang, 20)") == "clang/20\n"


def test_matrix_flag_takes_only_the_instances_with_that_value(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs: [{name: test, matrix: {axes: {n: [1, 2, 3]}}, run: "true"}]
        """)
    assert list(slipway.run(file, "--matrix", "n=2").expect(0).outcomes()) == ["test (2)"]
    slipway("run", file, "--matrix", "n=9").expect(2)


def test_fail_fast_cancels_the_other_instances(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - name: test
              matrix: {axes: {n: [1, 2]}, fail_fast: true}
              env: {N: "{{ matrix.n }}"}
              run: if [ "$N" = 1 ]; then exit 1; else sleep 40; fi
        """)
    ran = slipway.run(file, "--max-parallel", "2").expect(1)
    assert ran.outcomes() == {"test (1)": "failed", "test (2)": "cancelled"}


def test_for_each_runs_once_an_item_and_names_it(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs: [{name: deploy, for_each: {in: [eu, us], as: REGION}, run: echo "to $REGION"}]
        """)
    ran = slipway.run(file).expect(0)
    assert set(ran.outcomes()) == {"deploy (eu)", "deploy (us)"}
    assert ran.output("deploy (us)") == "to us\n"


def test_outputs_reach_dependants_by_expression(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: package, outputs: [version, notes], run: "slipway output version 1.2.3; printf 'notes<<END\\\\ntwo\\\\nlines\\\\nEND\\\\n' >>/job/outputs.env"}
            - name: deploy
              depends_on: [package]
              env: {VERSION: "{{ outputs.package.version }}", NOTES: "{{ outputs.package.notes }}"}
              run: echo "$VERSION"; echo "$NOTES"
        """)
    ran = slipway.run(file).expect(0)
    assert ran.output("deploy") == "1.2.3\ntwo\nlines\n"


def test_for_each_over_an_output_may_use_its_item_in_env(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: p, outputs: [x], run: "slipway output x '[\\"eu\\", \\"us\\"]'"}
            - {name: d, depends_on: [p], for_each: {in: outputs.p.x}, env: {L: "to {{ item }}"}, run: echo "$L"}
        """)
    ran = slipway.run(file).expect(0)
    assert ran.output("d (us)") == "to us\n"


def test_an_output_that_is_not_declared_is_known_once_its_job_has_set_it(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: p, run: slipway output x 7}
            - {name: set, depends_on: [p], env: {L: "{{ outputs.p.x }}"}, run: echo "$L"}
            - name: unset
              depends_on: [p]
              env: {L: "{{ outputs.p.y }}"}
              run: echo "$L"
        """)
    ran = slipway.run(file).expect(2)
    assert (ran.output("set"), ran.outcomes()["unset"]) == ("7\n", "rejected")
    [reason] = [event["reason"] for event in ran.of("job_finished") if event["job"] == "unset"]
    assert f"{file}:10:" in reason and "outputs.p.y" in reason, ran


def test_an_input_without_a_value_matters_where_it_is_used(slipway):
    workflow = """
        workflow:
          name: ci
          on: {push: {}, manual: {inputs: {x: {required: true}, n: {type: number}}}}
          defaults: {image: host, network: none}
          jobs: [{name: a, env: {N: "%s"}, run: echo "n=$N"}]
        """
    file = slipway.project.workflow(workflow % "{{ default(inputs.n, 5) }}")
    assert slipway.run(file, "--event", "push").expect(0).output() == "n=5\n"
    assert "input `x` is required" in slipway.run(file, "--event", "manual").expect(2).err
    file = slipway.project.workflow(workflow % "{{ inputs.n }}")
    ran = slipway.run(file, "--event", "push").expect(2)
    assert f"{file}:6:" in ran.err and "inputs.n" in ran.err, ran


def test_parallel_steps_run_together(slipway):
    # Each waits for the other's file: in sequence, the first would wait in vain.
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none, timeout: 20s}
          jobs:
            - name: job
              steps:
                - {name: a, parallel: true, run: "touch /tmp/a; until [ -e /tmp/b ]; do sleep 0.01; done"}
                - {name: b, parallel: true, run: "touch /tmp/b; until [ -e /tmp/a ]; do sleep 0.01; done"}
                - {name: c, run: test -e /tmp/a -a -e /tmp/b}
        """)
    slipway.run(file).expect(0)


def test_a_step_condition_always_runs_after_a_failure(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - name: job
              steps:
                - {name: bad, run: exit 1}
                - {name: skipped, run: "true"}
                - {name: report, condition: always, run: echo reported}
        """)
    ran = slipway.run(file).expect(1)
    assert [s["outcome"] for s in ran.job("job")["steps"]] == ["failed", "skipped", "succeeded"]


def test_a_condition_reads_branch_and_event(slipway):
    slipway.project.commit()
    file = slipway.project.workflow("""
        workflow:
          name: ci
          on: {push: {}, manual: {}}
          defaults: {image: host, network: none}
          jobs:
            - {name: main, condition: branch == "main" && event == "push", run: "true"}
            - {name: other, condition: branch == "dev", run: "true"}
        """)
    assert slipway.run(file).expect(0).outcomes() == {"main": "succeeded", "other": "skipped"}
    assert slipway.run(file, "--event", "manual").expect(0).outcomes() == {"main": "skipped", "other": "skipped"}


def test_job_flag_runs_it_with_what_it_depends_on_or_alone(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: build, run: "true"}
            - {name: test, depends_on: [build], run: "true"}
            - {name: other, run: "true"}
        """)
    assert set(slipway.run(file, "--job", "test").expect(0).outcomes()) == {"build", "test"}
    assert set(slipway.run(file, "--job", "test", "--no-deps").expect(0).outcomes()) == {"test"}
    assert "test" in slipway("run", file, "--job", "tset").expect(2).err


def test_dry_run_runs_nothing(slipway):
    file = slipway.project.job(run="echo ran")
    ran = slipway("run", file, "--dry-run").expect(0)
    assert "job" in ran.out and "job | ran" not in ran.out


def test_env_input_and_secret_flags_reach_the_job(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          on: {manual: {inputs: {target: {type: choice, options: [staging, production], default: staging}}}}
          defaults: {image: host, network: none}
          jobs: [{name: job, env: {TARGET: "{{ inputs.target }}"}, run: 'echo "$TARGET $EXTRA"'}]
        """)
    assert slipway.run(file, "--event", "manual", "--input", "target=production", "--env", "EXTRA=x").expect(0).output() == "production x\n"
    slipway("run", file, "--event", "manual", "--input", "target=moon").expect(2)


def test_the_command_shown_for_a_trigger_has_none_of_the_askers_variables(slipway):
    file = slipway.project.job(run='''slipway trigger '{"job_name": "next", "run": "make", "env": {"BASH_ENV": "$(touch /tmp/x)", "A": "1"}}' ''')
    shown = slipway("run", file).expect(0).out.split("would run next: ")[1]
    assert "job-command" not in shown and "BASH_ENV" not in shown and f"slipway run {file} --follow\n" in shown, shown


def asking(slipway, name="deploy"):
    return slipway.run(slipway.project.job(run=f"slipway trigger --json '{{\"job_name\": \"{name}\"}}'"))


def test_a_triggered_job_file_is_read_by_its_name_and_judged_as_any_other(slipway):
    slipway.project.write(".slipway/jobs/other.yaml", "job: {this: is broken")
    slipway.project.write(".slipway/jobs/deploy.yaml", "job: {name: deploy, image: host, network: none, run: echo deployed}")
    [trigger] = asking(slipway).expect(0).of("trigger")
    assert trigger["next"] and not trigger["reason"], "nothing is wrong with it; a local run shows what would come next"

    slipway.project.write(".slipway/jobs/deploy.yaml", "job: {name: deploy, imge: host, run: echo deployed}")
    [trigger] = asking(slipway).of("trigger")
    assert not trigger["accepted"] and ".slipway/jobs/deploy.yaml:1:" in trigger["reason"] and "E012" in trigger["reason"], trigger

    slipway.project.write(".slipway/jobs/deploy.yaml", "job: {name: deploy, image: host, run: x, devices: [kvm]}")
    file = slipway.project.job(run="slipway trigger --job deploy")
    followed = slipway.run(file, "--follow")
    assert followed.outcomes() == {"job": "succeeded", "deploy": "rejected"}, followed
    assert any("sandbox.allow_devices" in job["reason"] for job in followed.of("job_finished")), followed

    for name in ("nothing", "../jobs/other", "../../etc/passwd"):
        [trigger] = asking(slipway, name).of("trigger")
        assert not trigger["accepted"] and "no template" in trigger["reason"], trigger


def test_the_operators_policy_holds_for_jobs_that_no_plan_knows(slipway):
    for key, value, says in (("network", "host", "allow_host_network"), ("nested", True, "allow_nested")):
        file = slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "defaults": {"image": "host", "network": "none"}, "jobs": [
            {"name": "list", "run": "slipway output places '[\"eu\"]'", "outputs": ["places"]},
            {"name": "deploy", "depends_on": ["list"], key: value, "run": "echo deployed",
             "for_each": {"in": "outputs.list.places", "as": "PLACE"}}]}}))
        ran = slipway.run(file).expect(2)
        assert ran.outcomes() == {"list": "succeeded", "deploy (eu)": "rejected"} and ran.output("deploy (eu)") == "", ran
        assert says in ran.out, ran


def test_the_event_that_a_job_reads_has_the_inputs_that_hold(slipway, tmp_path):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          on: {manual: {inputs: {target: {type: choice, options: [staging, production], default: staging}, note: {default: none}}}}
          defaults: {image: host, network: none}
          jobs: [{name: job, run: 'cat "$SLIPWAY_EVENT"'}]
        """)
    event = json.loads(slipway.run(file, "--event", "manual", "--input", "note=hello").expect(0).output())
    assert event["inputs"] == {"target": "staging", "note": "hello"}
    (tmp_path / "event.json").write_text(json.dumps({"event": "manual", "kept": [1], "inputs": {"target": "staging"}}))
    event = json.loads(slipway.run(file, "--event-file", tmp_path / "event.json", "--input", "target=production").expect(0).output())
    assert event["inputs"] == {"target": "production", "note": "none"} and event["kept"] == [1]


def test_an_event_files_pull_request_number_is_one(slipway, tmp_path):
    file = slipway.project.job(run="true")
    for number in (1 << 40, -1, "7", 1.5):
        (tmp_path / "event.json").write_text(json.dumps({"event": "pull_request", "pr": {"number": number, "base": "main"}}))
        assert "pr.number" in slipway("run", file, "--event-file", tmp_path / "event.json").expect(2).err
    (tmp_path / "event.json").write_text(json.dumps({"event": "pull_request", "pr": {"number": 7, "base": "main"}}))
    slipway("run", file, "--event-file", tmp_path / "event.json").expect(0)


def test_a_job_takes_in_more_artifacts_than_one_message_carries(slipway):
    names = [f"part{i}" for i in range(70)]
    file = slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "defaults": {"image": "host", "network": "none"}, "jobs": [
        {"name": "make", "run": "for i in $(seq 0 69); do echo $i >f$i; done",
         "artifacts": [{"name": name, "paths": [f"f{i}"]} for i, name in enumerate(names)]},
        {"name": "use", "depends_on": ["make"], "uses_artifacts": names, "run": "cat /job/inputs/*/f* | wc -l"}]}}))
    assert slipway.run(file).expect(0).output("use").strip() == "70"

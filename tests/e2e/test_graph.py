"""Matrix, for_each, outputs, conditions, parallel steps: the graph as it runs."""


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


def test_a_trigger_is_followed_or_shown_with_the_command_for_it(slipway):
    for ask in ("slipway trigger --job deploy --run 'echo deployed'",
                """echo '{"type": "trigger_job", "jobs": [{"job_name": "deploy", "job_command": "echo deployed"}]}' >/job/triggers.json"""):
        file = slipway.project.job(run=ask)
        ran = slipway.run(file).expect(0)
        [trigger] = ran.of("trigger")
        assert (trigger["by_job"], trigger["job"]) == ("job", "deploy")
        if trigger["accepted"]:
            assert ran.outcomes() == {"job": "succeeded", "deploy": "succeeded"} and ran.output("deploy") == "deployed\n"
        else:
            shown = slipway("run", file).expect(0)
            assert "deploy" in shown.out and "slipway run" in shown.out, shown

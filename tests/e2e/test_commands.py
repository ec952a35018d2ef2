"""lint, plan, explain, graph, schema, completion, doctor, help, --print-config, --version."""
import json
import re
import time

import pytest

WORKFLOW = """
workflow:
  name: ci
  on: {push: {branches: [main]}}
  defaults: {image: host, network: none, timeout: 5m}
  jobs:
    - {name: build, run: make}
    - name: test
      depends_on: [build]
      matrix: {axes: {std: ["17", "20"]}}
      run: make check
    - {name: deploy, depends_on: [test], condition: branch == "main", run: ./deploy.sh}
"""


@pytest.fixture
def file(slipway):
    return slipway.project.workflow(WORKFLOW)


def test_lint_says_nothing_wrong_with_a_good_file(slipway, file):
    slipway("lint", file).expect(0)
    slipway("lint").expect(0)


def test_lint_shows_place_excerpt_and_nearest_key_of_every_error_at_once(slipway):
    file = slipway.project.workflow("""\
        workflow:
          name: ci
          jobs:
            - name: package
              dependson: [test]
              run: make
              timeout: 10
            - name: other
              run: echo {{ branch }}
        """)
    ran = slipway("lint", file).expect(2)
    text = ran.out + ran.err
    assert f"{file}:5:7: unknown key `dependson` in job `package`" in text
    assert "5 |       dependson: [test]" in text and "did you mean `depends_on`?" in text
    assert f"{file}:7:" in text and "10s or 10m?" in text
    assert f"{file}:9:" in text
    places = [int(m) for m in re.findall(rf"^{re.escape(file)}:(\d+):", text, re.M)]
    assert places == sorted(places)


def test_lint_json_has_stable_codes_that_help_explains(slipway):
    file = slipway.project.workflow("workflow: {name: ci, jobs: [{name: a, rum: x}]}\n")
    ran = slipway("lint", "--json", file).expect(2)
    code = re.search(r"E\d{3}", ran.out)
    assert code, ran
    assert len(slipway("help", code[0]).expect(0).out) > 40


def test_lint_of_5000_lines_is_quick(slipway):
    jobs = "".join(f"    - name: job{n}\n      image: host\n      env: {{A: \"{{{{ branch }}}}\"}}\n      steps:\n        - {{name: one, run: make}}\n" for n in range(999))
    file = slipway.project.workflow(f"workflow:\n  name: big\n  on: {{push: {{}}}}\n  jobs:\n{jobs}")
    begin = time.monotonic()
    slipway("lint", file).expect(0)
    assert time.monotonic() - begin < 2  # a bound against accidents; bench/ has the figure


def test_plan_shows_instances_and_resolved_shows_defaults_with_origin(slipway, file):
    slipway.project.commit()
    assert "test (20)" in slipway("plan", file).expect(0).out
    resolved = slipway("plan", "--resolved", file).expect(0).out
    assert re.search(r"timeout: 5m +# defaults at .*ci.yaml:\d+", resolved), resolved


def test_explain_says_why(slipway, file):
    slipway.project.commit()
    slipway.project.git("checkout", "-q", "-b", "dev")
    ran = slipway("explain", "deploy", "--workflow-file", file).expect(0)
    assert 'branch == "main"' in ran.out and "dev" in ran.out


@pytest.mark.parametrize("form, mark", [("text", "deploy"), ("dot", "digraph"), ("json", "{")])
def test_graph_in_its_forms(slipway, file, form, mark):
    ran = slipway("graph", "--format", form, file).expect(0)
    assert mark in ran.out
    if form == "json":
        json.loads(ran.out)


def test_the_schema_is_json_schema_and_knows_every_key(slipway):
    schema = json.loads(slipway("schema").expect(0).out)
    text = json.dumps(schema)
    assert "$schema" in schema
    assert all(f'"{key}"' in text for key in ("depends_on", "matrix", "for_each", "nested", "uses_artifacts", "no_output_timeout", "kubernetes"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(slipway, shell):
    assert "slipway" in slipway("completion", shell).expect(0).out


def test_doctor_tells_what_this_machine_offers(slipway):
    assert slipway("doctor").out
    checks = {check["name"]: check for check in json.loads(slipway("doctor", "--json").out)["checks"]}
    assert checks["sdk"]["detail"].endswith("/sdk")


def test_a_project_without_runs_says_so(slipway):
    assert "this project has no runs yet" in slipway("runs", "view").expect(2).err


def test_version(slipway):
    assert re.match(r"slipway \d+\.\d+\.\d+", slipway("--version").expect(0).out)


def test_print_config_shows_value_and_origin_of_each_layer(slipway, file):
    slipway.config("max_parallel: 3\n")
    slipway.project.write(".slipway/config.yaml", "log_cap: 1MiB\n")
    out = slipway("run", "--print-config", file, "--keep", env={"SLIPWAY_CONFIG_BACKEND": "fake"}).expect(0).out
    lines = {line.split(":")[0].strip(): line for line in out.splitlines() if ":" in line}
    assert "3" in lines["max_parallel"] and "config.yaml" in lines["max_parallel"]
    assert "fake" in lines["backend"] and "SLIPWAY_CONFIG_BACKEND" in lines["backend"]
    assert "1MiB" in lines["log_cap"] and ".slipway/config.yaml" in lines["log_cap"]
    assert "--keep" in lines["keep"] and "built in" in lines["image"]


def test_a_projects_config_grants_no_permission(slipway, file):
    for text in ("sandbox: {allow_nested: true}\n", "backend: fake\n"):
        slipway.project.write(".slipway/config.yaml", text)
        assert "can only be set by whoever runs this machine" in slipway("run", file).expect(4).err


def test_each_command_has_help(slipway):
    top = slipway("--help").expect(0).out
    for command in ("run", "lint", "plan", "explain", "graph", "logs", "doctor", "schema", "completion"):
        assert command in top
        assert "usage" in slipway(command, "--help").expect(0).out.lower()


def test_the_fake_backend_runs_the_graph_without_running_anything(slipway):
    slipway.project.write("deploy.sh")
    ran = slipway.run(slipway.project.workflow(WORKFLOW), "--backend", "fake")
    assert "build" in ran.outcomes()


MANUAL = """
workflow:
  name: {0}
  on: {{push: {{}}, manual: {{inputs: {{{0}_input: {{type: string, default: none}}}}}}}}
  defaults: {{image: host, network: none}}
  jobs:
    - {{name: {0}_job, env: {{V: "{{{{ inputs.{0}_input }}}}"}}, run: 'echo "$V"'}}
"""


def test_job_and_input_mean_the_workflows_that_know_them(slipway):
    for name in ("one", "two"):
        slipway.project.workflow(MANUAL.format(name), name)
    ran = slipway.run("--event", "manual", "--job", "two_job", "--input", "two_input=given").expect(0)
    assert ran.outcomes() == {"two_job": "succeeded"} and ran.output() == "given\n"
    both = slipway("run", "--event", "manual", "--input", "two_input=given").expect(0)
    assert "one_job | none" in both.out and "two_job | given" in both.out
    slipway("run", "--event", "manual", "--input", "three_input=x").expect(2)
    slipway("run", "--event", "manual", "--job", "three_job").expect(2)


def test_a_commit_counts_as_pushed_to_the_branch_that_is_checked_out(slipway):
    slipway.project.workflow(WORKFLOW)
    sha = slipway.project.commit()
    slipway.project.write("more", "x")
    slipway.project.commit()
    assert "starts" in slipway("plan", "--commit", sha).expect(0).out
    assert "branches [main] -> matches" in slipway("plan", "--commit", sha).out


def test_an_event_file_that_says_another_event_is_refused(slipway, tmp_path):
    file = slipway.project.job(run="true")
    (tmp_path / "event.json").write_text('{"event": "tag", "tag": "v1"}')
    slipway("run", file, "--event", "push", "--event-file", tmp_path / "event.json").expect(2)
    slipway("run", file, "--event-file", tmp_path / "event.json").expect(0)


def test_explain_knows_jobs_whose_items_come_later(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          jobs:
            - {name: list, run: "true", outputs: [items]}
            - {name: each, depends_on: [list], for_each: {in: outputs.list.items, as: ITEM}, run: "true"}
        """)
    assert "known later" in slipway("explain", "each", "--workflow-file", file).expect(0).out
    assert json.loads(slipway("explain", "each", "--workflow-file", file, "--json").out)["runs"] is None


def test_a_base_that_does_not_exist_is_refused(slipway, file):
    slipway.project.commit()
    assert "nosuch" in slipway("run", file, "--base", "nosuch").expect(2).err
    slipway("plan", file, "--base", "main").expect(0)


def test_an_event_file_is_checked_and_applied(slipway, tmp_path):
    event = tmp_path / "event.json"

    def plan(text, *arguments):
        event.write_text(text)
        return slipway("plan", "--resolved", slipway.project.workflow("""
            workflow:
              name: ci
              defaults: {image: host, network: none}
              jobs: [{name: a, env: {WHAT: "{{ event }} {{ branch }}{{ tag }} {{ default(pr.number, 0) }} {{ default(pr.base, '') }}"}, run: "true"}]
            """), "--event-file", event, *arguments)

    assert "tag mainv1 0" in plan('{"event": "tag", "tag": "v1", "branch": "main"}').expect(0).out
    assert "pull_request x 7 next" in plan('{"event": "pull_request", "branch": "x", "pull_request": {"number": 7, "base": "next"}}').expect(0).out
    for text, says in (('{"event": "psuh"}', "psuh"), ('{"branch": 7}', "`branch` is a text, not 7"), ('{"pr": []}', "`pr` is an object"),
                       ('{"inputs": {"a": [1]}}', "inputs.a"), ('{"changed_files": "a"}', "changed_files"), ('{"branch": "x",\n ]', "event.json:2:2: not JSON")):
        assert says in plan(text).expect(2).err, text
    assert "did you mean `branch`?" in plan('{"brnch": "x"}').expect(0).err


def test_a_condition_that_holds_still_waits_for_success(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: a, run: "true"}
            - {name: b, depends_on: [a], condition: branch == "main", run: "true"}
            - {name: c, depends_on: [b], condition: always && branch == "main", run: "true"}
            - {name: d, depends_on: [a], condition: branch == "dev", run: "true"}
            - {name: e, depends_on: [a, b], condition: any_failed, run: "true"}
        """)
    planned = slipway("plan", file).expect(0).out
    found = dict(re.findall(r"^  \S ([a-e]) +(.*)$", planned, re.M))
    assert found == {"a": "runs", "b": "runs when a has succeeded", "c": "decided when b has ended", "d": 'skipped: branch == "dev" -> false (branch is "main")',
                     "e": "decided when a, b have ended"}, planned


def test_resolved_shows_every_default_and_where_it_is_from(slipway, file):
    slipway.project.commit()
    resolved = slipway("plan", "--resolved", file).expect(0).out
    for line in (r"retry: {attempts: 2, on: \[infra_failed\], backoff: 1s}  # built in", r"condition: all_success  # built in", r"network: none  # defaults at",
                 r"checkout: {submodules: false, lfs: false, clean: false}  # built in", r"depends_on: \[build\]$", r"continue_on_error: false  # built in"):
        assert re.search(line, resolved, re.M), (line, resolved)


def test_every_missing_secret_is_named_at_once(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: a, secrets: [ONE], run: "true"}
            - {name: b, secrets: [ONE, TWO], run: "true"}
        """)
    assert "give them with --secret ONE --secret TWO" in slipway("run", file).expect(2).err

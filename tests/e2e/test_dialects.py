"""Files of other systems: read as they are, beside ours, by every command; converted to ours, the same plan."""
import json
import re

import pytest
from harness import ROOT, Project

GOLDEN = ROOT / "tests/golden/dialects"


@pytest.fixture
def project(slipway):
    """Jobs and a workflow of Reactorcide, in a repository."""
    made = slipway.project
    made.write(".reactorcide/jobs/unit.yaml", """
        name: unit
        triggers: {events: [push, pull_request_opened], branches: [main]}
        paths: {exclude: ["docs/**"]}
        job: {image: host, command: sh ./unit.sh}
        environment: {PORT: 8080, DEBUG: true, BRACES: "{{ .Id }}"}
        """)
    made.write(".reactorcide/jobs/lint.yaml", """
        name: lint
        triggers: {events: [push]}
        job: {image: host, command: "echo a && b"}
        """)
    made.write(".reactorcide/jobs/part.yaml", """
        name: part
        job: {image: host, command: "echo from the file $WHO"}
        environment: {WHO: file, KEPT: "yes"}
        """)
    made.write(".reactorcide/workflows/My CI.yml", """
        name: My CI
        on: {events: [tag_created]}
        vars: {region: eu}
        jobs:
          first: {image: host, command: "true", for_each: [eu, us], item_var: REGION}
          second: {job_file: part.yaml, needs: [first], environment: {WHO: entry}}
          never: {image: host, command: "true", needs: [second], condition: any_failed(needs)}
          always: {image: host, command: env, needs: [never], condition: always()}
        """)
    made.write("unit.sh", 'echo "$PORT $DEBUG $BRACES" "$REACTORCIDE_EVENT_TYPE" "$REACTORCIDE_BRANCH" "$RC_WF_NODE_NAME"\n')
    made.commit()
    return made


def test_standalone_jobs_that_match_are_one_run(slipway, project):
    ran = slipway.run().expect(0)
    assert ran.outcomes() == {"unit": "succeeded", "lint": "succeeded"}
    assert "8080 True {{ .Id }} push main unit\n" in ran.output("unit")
    assert ran.output("lint") == "a && b\n"  # no shell: arguments
    assert ran.of("run_started")[0]["workflow"] == f"Reactorcide Jobs, repo: {project.path.name}"


def test_a_workflow_runs_with_its_files_and_names(slipway, project):
    project.git("tag", "v1")
    ran = slipway.run("--event", "tag").expect(0)
    assert ran.outcomes() == {"first[0]": "succeeded", "first[1]": "succeeded", "second": "succeeded", "never": "skipped", "always": "succeeded"}
    assert ran.output("second") == "from the file entry\n"
    environment = dict(line.split("=", 1) for line in ran.output("always").splitlines() if "=" in line)
    assert environment["RC_WF_ID"] == "my-ci" and environment["RC_WF_NODE_NAME"] == "always"
    assert environment["REACTORCIDE_EVENT_TYPE"] == "tag_created" and environment["CI"] == "true"
    assert environment["REACTORCIDE_JOB_ID"] == environment["JOB_ID"]


def test_every_command_reads_them(slipway, project):
    assert "My CI" in slipway("plan", "--event", "tag").expect(0).out
    assert "second" in slipway("graph", "--event", "tag").expect(0).out
    assert "all_success" in slipway("explain", "second", "--event", "tag").expect(0).out
    linted = slipway("lint").expect(0)
    assert "4 files, no errors" in linted.out
    assert f"Reactorcide Jobs, repo: {project.path.name}" in slipway("plan", "--event", "pull_request").expect(0).out


def test_a_broken_file_of_theirs_is_left_out_and_the_others_run(slipway, project):
    project.write(".reactorcide/workflows/broken.yaml", "name: broken\non: {events: [push]}\njobs: {a: {comand: make}}\n")
    ran = slipway.run().expect(0)
    assert ran.outcomes() == {"unit": "succeeded", "lint": "succeeded"}
    assert "broken.yaml is left out: .reactorcide/workflows/broken.yaml:3:12: unknown key `comand`" in ran.err
    linted = slipway("lint").expect(2)
    assert "broken.yaml:3:12: unknown key `comand`" in linted.out and "did you mean `command`?" in linted.out
    # Named, it is what was asked for.
    assert "unknown key `comand`" in slipway("run", ".reactorcide/workflows/broken.yaml").expect(2).err


def test_one_that_is_no_yaml_is_left_out_too(slipway, project):
    project.write(".reactorcide/jobs/broken.yaml", "name: broken\ntriggers: {events: [push]\n")
    ran = slipway.run().expect(0)
    assert "broken.yaml is left out: .reactorcide/jobs/broken.yaml:3:1: this is not YAML" in ran.err
    converted = slipway("convert", ".reactorcide/jobs/broken.yaml").expect(2)
    assert "this is not YAML" in converted.err and "our language" not in converted.err
    # The project's own are not passed over.
    project.write(".slipway/jobs/broken.yaml", "job: {name: a")
    assert "this is not YAML" in slipway("run").expect(2).err


def test_what_is_said_of_a_job_file_is_said_once(slipway, project):
    project.write(".reactorcide/jobs/shell.yaml", "name: shell\ntriggers: {events: [push]}\njob: {image: host, command: a && b}\n")
    project.write(".reactorcide/workflows/two.yaml", "name: two\non: {events: [push]}\njobs: {a: {job_file: shell.yaml}, b: {job_file: shell.yaml}}\n")
    assert slipway("lint").expect(0).out.count("shell.yaml:3:29: note: `&&` is an argument here") == 1


def test_a_job_file_stays_in_the_project(slipway, project, tmp_path):
    outside = tmp_path / "outside.yaml"
    outside.write_text("name: x\njob: {command: cat}\n")
    (project.path / ".reactorcide/jobs/link.yaml").symlink_to(outside)
    project.write(".reactorcide/workflows/bad.yaml", "name: bad\non: {events: [push]}\njobs: {a: {job_file: link.yaml}, b: {job_file: ../x.yaml}}\n")
    linted = slipway("lint", ".reactorcide/workflows/bad.yaml").expect(2)
    assert "link that leads out of the project" in linted.out and "`../x.yaml`: it is no path below the project" in linted.out


def test_any_failed_counts_what_was_cancelled(slipway, project):
    project.write(".reactorcide/workflows/cancel.yaml", """
        name: cancel
        on: {events: [pull_request_closed]}
        jobs:
          a: {image: host, command: "true"}
          tell: {image: host, command: "true", needs: [a], condition: any_failed}
        """)
    explained = slipway("plan", "--resolved", ".reactorcide/workflows/cancel.yaml").expect(0).out
    assert 'any_failed || cancelled("a")' in explained.replace('\\"', '"')


def resolved(slipway, file, *more):
    """`plan --resolved` without what tells where a value comes from."""
    out = slipway("plan", "--resolved", str(file), *more).expect(0).out
    out = re.sub(r"  # .*", "", out)
    return "\n".join(line for line in out.splitlines() if not re.search(r"\.ya?ml|JOB_ID|NODE_ID|RUN_ID", line))


def test_what_is_converted_plans_the_same(slipway, tmp_path):
    project = slipway.project
    for path in sorted(GOLDEN.rglob("*.y*ml")):
        project.write(str(path.relative_to(GOLDEN)), path.read_bytes())
    project.commit()
    compared = 0
    for path in sorted(GOLDEN.rglob("*.y*ml")):
        name = path.relative_to(GOLDEN)
        if "registry" in name.parts or slipway("lint", str(name)).code != 0:
            continue
        made = slipway("convert", str(name)).expect(0)
        if "has no equal" in made.out or "was called" in made.out or "stands in the file" in made.err or "source_code" in made.out:
            continue  # told in the file; or a repository that is not there
        ours = project.write(f"converted/{name.stem}.yaml", made.out)
        assert slipway("lint", str(ours)).expect(0)
        assert resolved(slipway, ours) == resolved(slipway, name), name
        compared += 1
    assert compared >= 6


def test_convert_follows_no_link_out_of_the_project(slipway, project, tmp_path):
    (tmp_path / "private.yaml").write_text("password: of-whoever-converts\n")
    link = project.path / ".reactorcide/jobs/link.yaml"
    link.symlink_to(tmp_path / "private.yaml")
    for name in ((), (".reactorcide/jobs/link.yaml",)):
        told = slipway("convert", *name)
        assert told.code != 0 and "is a link that leads out of the project" in told.err and "of-whoever-converts" not in str(told), told
    link.unlink()
    (tmp_path / "elsewhere").mkdir()
    (project.path / ".slipway").symlink_to(tmp_path / "elsewhere")
    told = slipway("convert", "--write")
    assert told.code != 0 and "is a link that leads out of the project" in told.err and not list((tmp_path / "elsewhere").iterdir()), told


def test_convert_writes_files_and_replaces_none(slipway, project):
    made = slipway("convert", "--write").expect(0)
    assert ".reactorcide/workflows/My CI.yml → .slipway/workflows/My CI.yaml" in made.out
    assert "name: My CI" in (project.path / ".slipway/workflows/My CI.yaml").read_text()
    again = slipway("convert", "--write")
    assert again.code != 0 and "is there already" in again.err
    to = slipway("convert", "-o", "out", ".reactorcide/jobs/unit.yaml").expect(0)
    assert (project.path / "out/unit.yaml").read_text().startswith("# from .reactorcide/jobs/unit.yaml\njob:\n") and to.out
    answer = json.loads(slipway("convert", "--json", ".reactorcide/jobs/unit.yaml").expect(0).out)
    assert answer["type"] == "converted" and answer["yaml"].startswith("# from")
    assert "in our language already" in slipway("convert", ".slipway/workflows/My CI.yaml").expect(0).err


def test_run_job_runs_a_flat_file(slipway, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    (work / "here.txt").write_text("the work directory\n")
    job = tmp_path / "job.yaml"
    job.write_text("name: flat\nimage: host\nenvironment: {WHO: '${env:WHO}', MISSING: '[${env:NOBODY}]'}\ncommand: |\n  cat here.txt\n  echo \"$WHO $MISSING $REACTORCIDE_JOB_ID\"\n")
    ran = slipway("run-job", "--json", job, "--work-dir", work, env={"WHO": "me"})
    assert ran.code == 0, ran
    assert "the work directory" in ran.out and "me []" in ran.out
    # Only there: a repository's files do not read the environment of whoever runs them.
    assert "${env:WHO}" in slipway("run", job, env={"WHO": "me"}).expect(0).out
    dry = slipway("run-job", job, "--dry-run").expect(0)
    assert "flat" in dry.out


def test_a_plain_secret_is_masked_and_told(slipway, tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text("job_command: 'test \"$TOKEN\" = swordfish && echo \"it is $TOKEN\" && exit 7'\nimage: host\nsecrets:\n  - {name: TOKEN, value: swordfish}\n")
    ran = slipway("run-job", job)
    assert ran.code == 1 and "it is ***" in ran.out.replace("[REDACTED]", "***"), ran
    assert "swordfish" not in ran.out + ran.err
    linted = slipway("lint", job).expect(0)
    assert "the value of the secret TOKEN stands in the file" in linted.out and "swordfish" not in linted.out
    given = tmp_path / "given.env"
    given.write_text("TOKEN=salmon\n")
    given.chmod(0o600)
    assert slipway("run-job", job, "--secrets-file", given).code == 1  # what is given holds: the test fails


def test_job_code_and_source_of_two_repositories(slipway, tmp_path):
    ci, app = Project(tmp_path / "ci"), Project(tmp_path / "app")
    ci.write("pipelines/test-pr.py", "import os\nprint('code of', os.path.dirname(os.path.abspath(__file__)), 'on', open('name').read())\n")
    ci.commit()
    app.write("name", "the app")
    app.commit()
    job = tmp_path / "job.yaml"
    job.write_text(f"ci_code: {{git_url: 'file://{ci.path}', git_ref: main, path: pipelines/test-pr.py}}\nsource_code: {{git_url: 'file://{app.path}', git_ref: main}}\n")
    ran = slipway("run-job", job, "--image", "host").expect(0)
    assert "code of /job/ci/pipelines on the app" in ran.out


def test_a_registrys_jobs_of_this_checkout(slipway, tmp_path):
    registry = tmp_path / "projects.yaml"
    registry.write_text("""
projects:
  - name: app
    vcs_url: https://git.example.org/team/app.git
    jobs:
      - {name: test, events: [pull_request, push], branches: [main], job_image: host, job_command: "true && echo $0 ran"}
      - {name: release, events: [tag], job_image: host, job_command: "false"}
  - name: other
    vcs_url: https://git.example.org/team/other.git
    jobs: [{name: none, events: [push], job_image: host, job_command: "true"}]
""")
    slipway.project.write("file")
    slipway.project.commit()
    refused = slipway("run", "--registry", registry)
    assert refused.code == 2 and "which has no remote: it has app, other" in refused.err
    assert "test" in slipway("plan", "--registry", registry, "--project", "app", "--event", "pull_request").expect(0).out
    slipway.project.git("remote", "add", "origin", "git@git.example.org:team/app.git")
    ran = slipway.run("--registry", registry).expect(0)
    assert ran.outcomes() == {"test": "succeeded"} and "ran" in ran.output("test")
    assert "1 file, no errors" in slipway("lint", registry).expect(0).out
    assert "a registry of projects is no workflow" in slipway("run", registry).expect(2).err
    converted = slipway("convert", registry, "-o", "out", "--project", "app").expect(0)
    assert converted.out.count("→") == 2 and (slipway.project.path / "out/release.yaml").exists()


def test_a_job_that_is_asked_for_by_name_is_theirs_too(slipway, project):
    for wanted, found in (("part", True), ("nobody", False)):
        project.write("triggers.json", json.dumps({"jobs": [{"job_name": wanted}]}))
        ran = slipway("run", project.job(run="cp triggers.json /job/triggers.json")).expect(0)
        assert ("no template" in ran.out + ran.err) != found, ran


def test_a_job_that_is_asked_for_by_name_may_be_the_registrys(slipway, tmp_path):
    registry = tmp_path / "projects.yaml"
    registry.write_text("""
projects:
  - name: app
    jobs:
      - {name: ask, events: [push], job_image: host, job_command: cp triggers.json /job/triggers.json}
      - {name: ship, job_image: host, job_command: "true"}
""")
    slipway.project.write("triggers.json", json.dumps({"jobs": [{"job_name": "ship"}]}))
    slipway.project.commit()
    ran = slipway("run", "--registry", registry, "--project", "app").expect(0)
    assert "no template" not in ran.out + ran.err and "ship" in ran.out, ran


def test_values_are_texts_as_python_makes_them(slipway):
    yaml = pytest.importorskip("yaml")
    values = ["8080", "true", "yes", "Off", "1.5", "1.50", "010", "0o7", "1e3", "1.0e+3", ".5", "12:30:45", "1_000", "~", "null", ".inf",
              "0x1F", "2024-01-01", "1.", "-0.0", "1.0e+20", "+5", "08", "v1.0", '"8080"', "0.00001", "-1:30", "a b"]
    text = "name: a\njob: {image: host, command: env}\nenvironment:\n" + "".join(f"  V{i}: {value}\n" for i, value in enumerate(values))
    slipway.project.write(".reactorcide/jobs/a.yaml", text)
    slipway.project.commit()
    out = slipway.run(".reactorcide/jobs/a.yaml").expect(0).output()
    found = dict(line.split("=", 1) for line in out.splitlines() if line.startswith("V"))
    wanted = {name: str(value) for name, value in yaml.safe_load(text)["environment"].items()}
    assert found == wanted


VARIABLES = """
    name: variables
    on: {{events: [push]}}
    vars: {{region: eu}}
    jobs:
      first: {{image: host, command: 'printf ''{{"vars": {{"colour": "red"}}, "outputs": {{"version": 1.2}}}}'' > $RC_WF_OUTPUT_FILE'}}
      second: {{image: host, command: echo "$RC_WF_VARS_JSON", needs: [first]}}
      third: {{image: host, command: 'printf ''{{"vars": {{"colour": "{colour}"}}}}'' > $RC_WF_OUTPUT_FILE', needs: [second]}}
    """


def test_variables_of_a_workflow_go_from_job_to_job(slipway):
    slipway.project.write(".reactorcide/workflows/v.yaml", VARIABLES.format(colour="red"))
    ran = slipway.run(".reactorcide/workflows/v.yaml").expect(0)
    said = json.loads(ran.output("second"))
    assert said == {"colour": "red", "region": "eu", "first.version": said["first.version"]} and said["first.version"].startswith("1.2")


def test_a_variable_with_another_value_fails_the_job_and_the_workflow(slipway):
    slipway.project.write(".reactorcide/workflows/v.yaml", VARIABLES.format(colour="blue"))
    ran = slipway.run(".reactorcide/workflows/v.yaml").expect(1)
    assert ran.outcomes() == {"first": "succeeded", "second": "succeeded", "third": "failed"}
    assert "the variable colour of the workflow has another value already" in ran.out


@pytest.mark.parametrize("left", ["nonsense", "[]", '{"vars": 1}', '{"outputs": {"a b": 1}}'])
def test_an_output_file_that_cannot_be_read_is_told(slipway, left):
    ran = slipway.run(slipway.project.job(run=f"printf '%s' '{left}' > /job/workflow-output.json"))
    assert ran.code == 0 and "workflow-output.json" in json.dumps(ran.of("annotation")), ran

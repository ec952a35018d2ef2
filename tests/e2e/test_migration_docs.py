"""The examples of docs/dialects.md, docs/from-github-actions.md and docs/from-gitlab-ci.md, run: each block that names its file."""
import re

import pytest
from doc_examples import examples
from harness import ROOT

PAGES = ["dialects.md", "from-github-actions.md", "from-gitlab-ci.md"]
OURS = (".slipway/", ".reactorcide/", "job.yaml", "projects.yaml")
SECRETS = "DEPLOY_KEY=for-tests-only\nci_TOKEN=for-tests-only\n"


def blocks(page: str) -> dict[str, str]:
    """File → text of every fenced block that begins with its file's name."""
    named = (example for example in examples((ROOT / "docs" / page).read_text()) if example[0] == "file")
    found = {name: text for _, name, text in named if name.endswith((".yaml", ".yml"))}
    assert found, f"no example in {page}"
    return found


@pytest.fixture
def project(slipway):
    made = slipway.project
    for name in ("build", "test", "lint", "deploy", "notify"):
        made.write(f"{name}.sh", f"#!/bin/sh\nmkdir -p dist out && echo made > dist/x && echo '{name}' \"$@\"\n").chmod(0o755)
    made.write("deps.lock", "1")
    made.write("src/a", "1")
    made.commit()
    return made


@pytest.mark.parametrize("page", PAGES)
def test_every_example_of_ours_is_sound(slipway, project, page):
    for name, text in blocks(page).items():
        if not name.startswith(OURS):
            continue  # the other system's own
        project.write(name, text)
        assert slipway("lint", name).code == 0, (name, slipway("lint", name).out)


@pytest.mark.parametrize("page", PAGES)
def test_every_workflow_of_the_examples_runs(slipway, project, page, tmp_path):
    secrets = tmp_path / "secrets.env"
    secrets.write_text(SECRETS)
    secrets.chmod(0o600)
    for name, text in blocks(page).items():
        if not name.startswith((".slipway/", ".reactorcide/")):
            continue
        project.write(name, text)
        ran = slipway.run(name, "--secret-file", secrets).expect(0)
        assert set(ran.outcomes().values()) <= {"succeeded", "skipped"}, ran


def test_the_job_file_and_the_registry_run(slipway, project):
    for name, text in blocks("dialects.md").items():
        project.write(name, text)
    assert "test" in slipway("run-job", "job.yaml").expect(0).out
    ran = slipway.run("--registry", "projects.yaml", "--project", "app").expect(0)
    assert ran.outcomes() == {"test": "succeeded"}


def test_the_two_sides_of_an_example_plan_the_same_jobs(slipway, project):
    for name, text in blocks("dialects.md").items():
        project.write(name, text)
    for theirs, ours in ((".reactorcide/jobs/unit.yaml", ".slipway/jobs/unit.yaml"), (".reactorcide/workflows/release.yaml", ".slipway/workflows/release.yaml")):
        names = [set(re.findall(r"(?:build|ship|tell|unit)", slipway("plan", file).expect(0).out)) for file in (theirs, ours)]
        assert names[0] == names[1] != set()

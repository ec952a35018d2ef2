"""Slips of the pen that must not pass in silence."""
import json

import pytest
from harness import Project


def test_a_slip_in_what_is_said_of_a_pull_request_is_an_error(slipway, tmp_path):
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"event": "pull_request", "pr": {"number": 7, "frok": True}}))
    refused = slipway.run("--event-file", event, "--job-command", "true", "--image", "host").expect(2)
    assert "`pr.frok` has no meaning: did you mean `fork`?" in refused.err


@pytest.mark.parametrize("ref", ["refs/pull/7/head", "pull/7/head", "merge-requests/7/head"])
def test_a_proposals_ref_is_a_strangers_unless_an_event_says_otherwise(slipway, tmp_path, ref):
    project = Project(tmp_path / "made")
    project.write(".slipway/workflows/ci.yaml", "workflow: {name: ci, jobs: [{name: leak, image: host, network: none, secrets: [KEY], run: 'test -n \"$KEY\" && echo had it'}]}\n")
    project.commit()
    project.git("update-ref", "refs/" + ref.removeprefix("refs/"), "HEAD")
    given = ["--source-url", f"file://{project.path}", "--source-ref", ref, "--event", "pull_request", "--secret", "KEY", ".slipway/workflows/ci.yaml"]
    refused = slipway("run", *given, env={"KEY": "only-for-trusted-code"})
    assert refused.code == 4 and "E111" in refused.err and "is taken for a fork's" in refused.err
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"event": "pull_request", "pr": {"number": 7, "fork": False}}))
    assert slipway.run("--event-file", event, *given, env={"KEY": "only-for-trusted-code"}).expect(0).output() == "had it\n"


def test_a_directory_has_no_revision(slipway, tmp_path):
    (tmp_path / "plain").mkdir()
    refused = slipway.run("--source-url", tmp_path / "plain", "--source-ref", "v1", "--image", "host", "--job-command", "true").expect(2)
    assert "has no `v1`" in refused.err


@pytest.mark.parametrize("place", ["/proc", "/etc/hosts", "/usr", "/dev/shm/x", "/tmp"])
def test_a_workspace_where_the_system_lies_is_refused_with_its_place(slipway, place):
    refused = slipway("run", slipway.project.job(run="true", keys={"workspace": place})).expect(2)
    assert f"the workspace cannot be `{place}`: the system lies there" in refused.err and "E061" in refused.err

"""Secrets: they reach the job, and never a log, a file or an argument list."""
import base64
import json
import urllib.parse
from pathlib import Path

import pytest

SECRET = "s3cr3t/Value+with=signs&4711"


def secret_job(project, run, **keys):
    return project.job(run=run, keys={"secrets": ["TOKEN"], **keys})


def all_files(directory):
    return b"".join(p.read_bytes() for p in directory.rglob("*") if p.is_file() and not p.is_symlink() and p.stat().st_size < 50_000_000)


def test_a_secret_from_the_environment_is_there_and_masked(slipway):
    file = secret_job(slipway.project, f'test "$TOKEN" = "{SECRET}" || test "${{#TOKEN}}" = {len(SECRET)}; echo "token=$TOKEN."')
    ran = slipway.run(file, "--secret", "TOKEN", env={"TOKEN": SECRET}).expect(0)
    assert ran.output() == "token=***.\n"
    assert SECRET not in ran.out + ran.err


@pytest.mark.parametrize("name, derive", [
    ("base64", lambda s: base64.b64encode(s.encode()).decode()),
    ("base64 at offset 1", lambda s: base64.b64encode(b"x" + s.encode()).decode()),
    ("base64 at offset 2", lambda s: base64.b64encode(b"xy" + s.encode()).decode()),
    ("base64 url-safe", lambda s: base64.urlsafe_b64encode(s.encode()).decode()),
    ("hex", lambda s: s.encode().hex()),
    ("HEX", lambda s: s.encode().hex().upper()),
    ("url", lambda s: urllib.parse.quote(s, safe="")),
    ("json", lambda s: json.dumps(s)[1:-1]),
])
def test_derived_forms_are_masked(slipway, name, derive):
    shown = derive(SECRET)
    # Built from halves, so that the definition holds no secret for the masker to find.
    file = secret_job(slipway.project, f"printf '%s' 'a {shown[:9]}'; printf '%s b\\n' '{shown[9:]}'")
    ran = slipway.run(file, "--secret", "TOKEN", env={"TOKEN": SECRET}).expect(0)
    assert "***" in ran.output(), ran
    assert shown[4:-4] not in ran.output()


def test_a_secret_split_over_writes_is_masked(slipway):
    file = secret_job(slipway.project, f"printf '{SECRET[:5]}'; sleep 0.3; printf '{SECRET[5:]}\\n'")
    ran = slipway.run(file, "--secret", "TOKEN", env={"TOKEN": SECRET}).expect(0)
    assert ran.output() == "***\n"


def test_a_secret_that_colours_run_through_is_masked(slipway):
    # As `grep --color` shows it; what erases a line or sets a style parts it no less.
    pieces = f"{SECRET[:5]}\\033[01;31m\\033[K{SECRET[5:9]}\\033[m\\033[K{SECRET[9:]}"
    file = secret_job(slipway.project, f"printf 'token={pieces}.\\n'; printf '{SECRET[:5]}\\033[1m'; sleep 0.2; printf '{SECRET[5:]}\\n'")
    ran = slipway.run(file, "--secret", "TOKEN", env={"TOKEN": SECRET}).expect(0)
    assert ran.output() == "token=***.\n***\n"
    for colour in ("never", "always"):
        shown = slipway("logs", ran.finished["run"], "--color", colour).expect(0).out
        assert "token=***." in shown and shown.count("***") == 2, shown


def test_each_line_of_a_multi_line_secret_is_masked(slipway, tmp_path):
    key = "-----BEGIN KEY-----\nabcdefghijklmnop1234\nqrstuvwxyz567890ABCD\n-----END KEY-----"
    (tmp_path / "secrets.json").write_text(json.dumps({"KEY": key}))
    file = slipway.project.job(run='printf "%s\\n" "$KEY" | sed -n 2p; printf "%s\\n" "$KEY" | sed -n 3p', keys={"secrets": ["KEY"]})
    ran = slipway.run(file, "--secret-file", tmp_path / "secrets.json").expect(0)
    assert "abcdefghijklmnop1234" not in ran.out and ran.output() == "***\n***\n"


def test_dotenv_files_are_read(slipway, tmp_path):
    (tmp_path / "secrets.env").write_text(f"# comment\nTOKEN='{SECRET}'\n")
    ran = slipway.run(secret_job(slipway.project, 'echo "${#TOKEN}"'), "--secret-file", tmp_path / "secrets.env").expect(0)
    assert ran.output() == f"{len(SECRET)}\n"


def test_a_file_secret_lies_on_a_tmpfs_readable_by_the_job_alone(slipway):
    file = slipway.project.job(run="""
        stat -c '%a' /job/secrets/TOKEN; stat -f -c '%T' /job/secrets/TOKEN; wc -c </job/secrets/TOKEN; env | grep -c s3cr3t || true
        """, keys={"secrets": [{"name": "TOKEN", "file": "/job/secrets/TOKEN"}]})
    ran = slipway.run(file, "--secret", "TOKEN", env={"TOKEN": SECRET}).expect(0)
    assert ran.output() == f"400\ntmpfs\n{len(SECRET)}\n0\n"


def test_a_workspace_elsewhere_takes_its_secrets_and_artifacts_along(slipway, tmp_path):
    keys = {"workspace": "/workspace", "secrets": [{"name": "TOKEN", "file": "/workspace/secrets/TOKEN"}],
            "artifacts": [{"name": "out", "paths": ["/workspace/made/*"]}]}
    file = slipway.project.job(run="pwd; wc -c </workspace/secrets/TOKEN; mkdir /workspace/made; echo x >/workspace/made/x", keys=keys)
    ran = slipway.run(file, "--secret", "TOKEN", env={"TOKEN": SECRET}).expect(0)
    assert ran.output() == f"/workspace/src\n{len(SECRET)}\n"
    slipway("runs", "artifacts", ran.finished["run"], "out", "-o", tmp_path / "got").expect(0)
    assert [path.read_text() for path in (tmp_path / "got").rglob("x")] == ["x\n"]
    for wrong in [{"secrets": [{"name": "TOKEN", "file": "/job/secrets/TOKEN"}]}, {"secrets": [{"name": "TOKEN", "file": "/workspace/secrets/a/b"}]},
                  {"artifacts": [{"name": "out", "paths": ["/job/made/*"]}]}]:
        refused = slipway("lint", slipway.project.job(run="true", keys={**keys, **wrong})).expect(2)
        assert "/workspace" in refused.out + refused.err, refused


def test_a_secret_registered_at_run_time_is_masked_from_then_on(slipway):
    file = slipway.project.job(steps=[("mask", "v=$(echo late-registered-value-99); slipway mask \"$v\"; echo \"now $v\""),
                                      ("later", "echo late-registered-value-99")])
    ran = slipway.run(file).expect(0)
    assert ran.output("job", "mask") == "now ***\n" and ran.output("job", "later") == "***\n"


@pytest.mark.parametrize("ask", ["slipway trigger '{}'", "printf '%s' '{}' >/job/triggers.json"])
def test_a_secret_spelled_with_escapes_is_masked_in_a_trigger(alone, ask):
    spelled = '{"job_name": "n\\u0061", "run": "echo \\u0068unter2-hunter2", "env": {"\\u0068unter2-hunter2": "x"}}'
    file = secret_job(alone.project, ask.format(spelled).replace("%", "%"))
    ran = alone.run(file, "--secret", "TOKEN", env={"TOKEN": "hunter2-hunter2"}).expect(0)
    shown = alone("run", file, "--secret", "TOKEN", env={"TOKEN": "hunter2-hunter2"}).expect(0)
    [trigger] = ran.of("trigger")
    asked = json.loads(trigger["trigger"])
    assert trigger["job"] == "na" and (asked["run"], asked["env"]) == ("echo ***", {"***": "x"}), trigger
    assert "would run next: na" in shown.out, shown
    assert "hunter2-hunter2" not in ran.out + shown.out + alone("runs", "view", "latest", "--json").out
    assert b"hunter2-hunter2" not in all_files(alone.state)


def test_an_earlier_occurrence_of_a_late_secret_is_reported_as_exposed(slipway):
    file = slipway.project.job(run="echo exposed-value-12345; slipway mask exposed-value-12345")
    ran = slipway.run(file)
    assert "expos" in json.dumps([e for e in ran.events if e["type"] not in ("output",)]).lower(), ran


def test_a_weak_secret_is_refused_with_a_visible_notice(slipway):
    ran = slipway("run", secret_job(slipway.project, "true"), "--secret", "TOKEN", env={"TOKEN": "abc"})
    assert "TOKEN" in ran.out + ran.err and "short" in (ran.out + ran.err).lower(), ran


def test_no_value_is_left_on_disk(alone):
    file = secret_job(alone.project, 'echo "$TOKEN"; echo "$TOKEN" >/tmp/own; env >/dev/null')
    alone.run(file, "--secret", "TOKEN", env={"TOKEN": SECRET}).expect(0)
    stored = all_files(alone.state) + all_files(alone.home)
    assert SECRET.encode() not in stored
    shown = alone("run", "--print-config", "--secret", "TOKEN", env={"TOKEN": SECRET})
    assert SECRET not in shown.out + shown.err


def test_no_value_is_on_any_command_line(slipway):
    file = secret_job(slipway.project, """
        for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f 2>/dev/null; echo; done | grep -c '[s]3cr3t' || true
        sleep 1
        """)
    running = slipway.start("run", "--json", file, "--secret", "TOKEN", env={"TOKEN": SECRET})
    running.wait_for('"step_started"')
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert SECRET.encode() not in path.read_bytes(), path
        except (FileNotFoundError, ProcessLookupError):
            pass
    assert running.ended().expect(0).output() == "0\n"


def test_a_missing_secret_is_an_error_that_names_it(slipway):
    ran = slipway("run", "--no-input", secret_job(slipway.project, "true")).expect(2)
    assert "TOKEN" in ran.err + ran.out


def test_a_job_without_the_secret_does_not_have_it(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs:
            - {name: with, secrets: [TOKEN], run: 'test -n "$TOKEN"'}
            - {name: without, run: 'test -z "${TOKEN+set}"; ! env | grep -q s3cr3t'}
        """)
    slipway.run(file, "--secret", "TOKEN", env={"TOKEN": SECRET}).expect(0)


def test_the_callers_environment_does_not_leak_into_the_job(slipway):
    file = slipway.project.job(run="env | grep -c MY_PRIVATE || true")
    assert slipway.run(file, env={"MY_PRIVATE_KEY": "x" * 20}).expect(0).output() == "0\n"

"""Services: beside a job, found by name, ready before it begins, gone when it ends."""
import json
import re
import shutil
import time
from pathlib import Path

import pytest
from harness import BACKENDS, SIGINT, SIGKILL, everything, is_alive, sandbox_directories, wait_until

ROOT = Path(__file__).parents[2]
BOTH = pytest.mark.parametrize("backend", BACKENDS)
SERVER = "import http.server as h; h.ThreadingHTTPServer(('0.0.0.0', {}), h.SimpleHTTPRequestHandler).serve_forever()"
ASK = "import urllib.request as u, sys; print(u.urlopen(sys.argv[1], timeout=5).status)"


def web(port: int = 8000, **keys) -> dict:
    return {"name": "web", "command": ["python3", "-c", SERVER.format(port)], "ready": {"tcp": port, "within": "20s"}, **keys}


def shell(script: str, name: str = "db", **keys) -> dict:
    return {"name": name, "command": ["sh", "-c", script], **keys}


def job(project, services: list[dict], run: str, **keys) -> str:
    services = [{"image": project.image, **service} for service in services]
    one = {"name": "job", "image": project.image, "network": "none", "services": services, "run": run, **keys}
    return project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [one]}}, indent=1))


def told(ran) -> list[str]:
    return [event["message"] for event in ran.of("notice") if event.get("code") == "service"]


def reason(ran) -> str:
    return ran.of("job_finished")[0]["reason"]


@BOTH
def test_a_job_reaches_its_services_by_name_once_they_are_ready(slipway):
    services = [web(), web(8000, name="other", ready={"http": "http://localhost:8000/", "within": "20s"})]
    ran = slipway.run(job(slipway.project, services, f"for at in web other; do python3 -c '{ASK}' http://$at:8000/; done")).expect(0)
    assert ran.output() == "200\n200\n"
    assert {"service web: starting", "service web: ready", "service other: starting", "service other: ready"} <= set(told(ran))


@BOTH
def test_services_reach_each_other_and_nothing_else(slipway):
    outside = "bash -c 'exec 3<>/dev/tcp/192.0.2.1/80' 2>&1 | grep -q unreachable"
    script = f"{outside} && echo checked; sleep 60"
    services = [web(), shell(f"until python3 -c '{ASK}' http://web:8000/ 2>/dev/null; do sleep 0.05; done; {script}", name="asks", ready={"log": "checked", "within": "20s"})]
    slipway.run(job(slipway.project, services, "true")).expect(0)


@BOTH
@pytest.mark.parametrize("network", ["none", pytest.param("nat", marks=pytest.mark.nat)])
@pytest.mark.parametrize("run_as", ["runner", "root"])
def test_services_add_no_way_out_to_a_jobs_network(slipway, network, run_as):
    """Its own is what it asked for; beside that it has one link for each service, and no power over them."""
    ways = "ip -o link | cut -d: -f2 | cut -d@ -f1; ip route | grep -c ^default || true; ip link set svc0 down 2>/dev/null && echo CHANGED"
    ran = slipway.run(job(slipway.project, [shell("sleep 60"), shell("sleep 60", name="other")], ways + "; true", network=network, run_as=run_as)).expect(0)
    expected = ["lo", "svc0", "svc1", "0"] if network == "none" else ["eth0", "lo", "svc0", "svc1", "1"]
    assert sorted(ran.output().split()) == sorted(expected), ran


@BOTH
@pytest.mark.parametrize("ready", [{"log": "made up"}, {"command": ["test", "-e", "/tmp/up"]}])
def test_a_job_waits_until_its_service_says_so(slipway, ready):
    service = shell("sleep 0.3; touch /tmp/up; echo made up; sleep 60", ready={**ready, "within": "20s"})
    ran = slipway.run(job(slipway.project, [service], "echo begun")).expect(0)
    assert told(ran) == ["service db: starting", "service db: ready"]


@BOTH
def test_a_services_log_is_its_own(slipway):
    ran = slipway.run(job(slipway.project, [shell("echo of the service; sleep 60", ready={"log": "service"})], "echo of the job")).expect(0)
    run = ran.finished["run"]
    assert ran.output() == "of the job\n"
    assert slipway("logs", run, "job", "--service", "db").expect(0).out == "of the service\n"
    assert slipway("logs", run, "--service", "db").expect(0).out == "job / db | of the service\n"
    assert "of the service" not in slipway("logs", run).expect(0).out
    events = [json.loads(line) for line in slipway("logs", run, "job", "--service", "db", "--json").expect(0).out.splitlines()]
    assert any(event.get("text") == "of the service" for event in events), events
    refused = slipway("logs", run, "job", "--service", "bd")
    assert refused.code == 2 and "did you mean `db`?" in refused.err, refused


@BOTH
def test_a_service_that_dies_fails_the_job_with_its_log_shown(slipway):
    ran = slipway.run(job(slipway.project, [shell("echo up; sleep 0.3; echo out of luck >&2; exit 3", ready={"log": "up"})], "sleep 50")).expect(1)
    assert ran.job("job")["outcome"] == "failed"
    assert reason(ran) == "service `db` ended while the job ran: exit code 3"
    assert "service db | out of luck" in told(ran)


@BOTH
@pytest.mark.parametrize("script, ready", [("echo up; sleep 0.3; echo out of luck >&2; exit 3", {"log": "up"}), ("echo out of luck; exit 0", {"tcp": 1})])
def test_the_summary_shows_a_dead_services_last_lines_and_its_log(slipway, script, ready):
    file = job(slipway.project, [shell(script, ready=ready)], "sleep 50")
    run = slipway.run(file).expect(1).finished["run"]
    assert f"slipway logs {run} job --service db" in slipway("runs", "view", run).expect(0).out
    for flags in ([], ["-q"]):
        out = slipway("run", *flags, file).expect(1).out
        lines = [line.strip() for line in out[out.index("✗ ci failed"):].splitlines()]
        assert "| out of luck" in lines, out
        assert re.fullmatch("\\S*slipway logs \\S+ job --service db", lines[lines.index("| out of luck") + 1]), out


@BOTH
def test_a_service_that_does_not_start_fails_the_job_before_its_steps(slipway):
    ran = slipway.run(job(slipway.project, [shell("echo no disk; exit 4", ready={"tcp": 1})], "echo begun")).expect(1)
    assert reason(ran) == "service `db` ended before the job began: exit code 4"
    assert "service db | no disk" in told(ran) and ran.output() == ""


@BOTH
def test_a_service_that_never_becomes_ready_says_what_was_missing(slipway):
    ran = slipway.run(job(slipway.project, [shell("echo thinking; sleep 60", ready={"tcp": 5432, "within": "300ms"})], "echo begun")).expect(1)
    assert reason(ran) == "service `db`: not ready within 300 ms: nothing accepts the job's connections on port 5432"
    assert "service db | thinking" in told(ran) and ran.output() == ""
    text = slipway("run", job(slipway.project, [shell("echo thinking; sleep 60", ready={"tcp": 5432, "within": "300ms"})], "true")).expect(1).out
    assert "thinking" in text and "--service db" in text, text


@BOTH
def test_a_service_that_listens_on_localhost_alone_is_not_ready(slipway):
    service = {**web(), "command": ["python3", "-c", SERVER.format(8000).replace("0.0.0.0", "127.0.0.1")], "ready": {"tcp": 8000, "within": "2s"}}
    assert "on port 8000" in reason(slipway.run(job(slipway.project, [service], "true")).expect(1))


@BOTH
def test_a_service_is_asked_to_end_with_its_job_and_killed_if_it_does_not(slipway):
    polite = shell("trap 'echo goodbye; exit 0' TERM; echo up; while :; do sleep 0.02; done", name="polite", ready={"log": "up"})
    deaf = shell("trap '' TERM; echo up; while :; do sleep 0.02; done", name="deaf", ready={"log": "up"})
    begin = time.monotonic()
    ran = slipway.run(job(slipway.project, [polite, deaf], "true")).expect(0)
    assert time.monotonic() - begin < 8
    assert "goodbye" in slipway("logs", ran.finished["run"], "job", "--service", "polite").out


@BOTH
def test_a_cancelled_job_takes_its_services_along(slipway):
    running = slipway.start("run", "--json", job(slipway.project, [shell("echo up; sleep 71", ready={"log": "up"})], "echo begun; sleep 71"))
    running.wait_for('"text":"begun"')
    below = everything(slipway, running)
    running.signal(SIGINT)
    assert running.ended(20).expect(130).outcomes() == {"job": "cancelled"}
    wait_until(lambda: not [pid for pid in below if is_alive(pid)], 2, what="the end of every process")


@BOTH
def test_a_run_is_cancelled_while_its_services_start(slipway):
    running = slipway.start("run", "--json", job(slipway.project, [shell("sleep 72", ready={"tcp": 1, "within": "60s"})], "true"))
    running.wait_for("service db: starting")
    running.signal(SIGINT)
    assert running.ended(20).expect(130).outcomes() == {"job": "cancelled"}


@BOTH
def test_kill_9_of_slipway_leaves_nothing_of_a_service(alone):
    running = alone.start("run", "--json", job(alone.project, [shell("echo up; sleep 73", ready={"log": "up"})], "echo begun; sleep 73"))
    running.wait_for('"text":"begun"')
    below = everything(alone, running)
    running.signal(SIGKILL)
    running.process.wait()
    wait_until(lambda: not [pid for pid in below if is_alive(pid)], 2, what="the end of every process")
    alone.run(alone.project.job(run="true", name="next")).expect(0)
    assert sandbox_directories(alone.state) == []
    assert list(alone.state.glob("runs/*/*.tail")) == []
    run = next(alone.state.glob("runs/*/*.db.journal")).parent.name
    assert "up" in alone("logs", run, "job", "--service", "db").expect(0).out


def test_what_cannot_be_a_service_is_refused_in_the_file(slipway):
    for services, keys, words in [([shell("true", name="not a host")], {}, "E018"), ([shell("true"), shell("true")], {}, "E030"),
                                  ([{"name": "db", "image": "host"}], {}, "E036"), ([shell("true")], {"network": "host"}, "E019"),
                                  ([shell("true", ready={"http": "ftp://x/"})], {}, "E018"), ([shell("true", name=f"s{i}") for i in range(51)], {}, "50")]:
        ran = slipway("run", job(slipway.project, services, "true", **keys)).expect(2)
        assert words in ran.err + ran.out, ran


def test_plan_resolved_shows_services_with_their_defaults(slipway):
    text = slipway("plan", "--resolved", job(slipway.project, [shell("true", env={"A": "1"}, ready={"tcp": 5432})], "true")).expect(0).out
    for words in ("services:\n      - name: db\n        image: host", 'A: "1"', "tcp: 5432", "within: 30s"):
        assert words in text, text


def test_the_fake_backend_plays_services_too(slipway):
    ran = slipway.run("--backend", "fake", job(slipway.project, [shell("serve", ready={"tcp": 1})], "echo begun")).expect(0)
    assert told(ran) == ["service db: starting", "service db: ready"]


@pytest.mark.skipif(not Path("/usr/lib/postgresql/15/bin/initdb").exists() or not shutil.which("redis-server"),
                    reason="needs the packages postgresql and redis-server")
def test_postgresql_and_redis_beside_a_job(slipway):
    for file in (ROOT / "examples/postgres-redis/project").iterdir():
        slipway.project.write(file.name, file.read_text()).chmod(0o755)
    file = slipway.project.workflow((ROOT / "examples/postgres-redis/workflow.yaml").read_text())
    ran = slipway.run(file).expect(0)
    assert "words, the most frequent is" in ran.output()
    assert "database system is ready" in slipway("logs", ran.finished["run"], "test", "--service", "db").expect(0).out

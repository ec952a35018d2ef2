"""`--backend docker`: the same file, the same result, the same journal; and nothing left whatever dies."""
import json
import os
import re
import shutil
import subprocess
import tarfile
import io
import time

import docker
import pytest
from canary import CLIMB
from harness import BUILD, SIGINT, SIGKILL, Project, Slipway, is_alive, sandbox_directories, wait_until
from images import Registry, base, copy, entry, layer, layout

pytestmark = pytest.mark.skipif(docker.missing() is not None, reason=docker.missing() or "")
SECRET = "s3cr3t-of-the-docker-tests-4711"


@pytest.fixture(scope="module")
def rootfs():
    return docker.busybox_rootfs()


@pytest.fixture
def slipway(daemon, tmp_path):
    with daemon.command(tmp_path, tmp_path / "state", Project(tmp_path / "project", image=docker.IMAGE)) as command:
        yield command


def job(project, run=None, steps=None, **keys):
    keys = {"image": docker.IMAGE} | keys
    return project.job(run=run, steps=steps, keys=keys)


def no_containers(daemon):
    return wait_until(lambda: not daemon.containers(), 10, what="the end of every container")


# --- the same as native ---

def test_the_same_file_has_the_same_result_and_events_as_native(slipway, daemon, rootfs, tmp_path):
    root = tmp_path / "rootfs"
    root.mkdir()
    with tarfile.open(fileobj=io.BytesIO(rootfs)) as tar:
        tar.extractall(root)
    project = slipway.project
    project.write("data/input.txt", "from the tree\n")
    project.commit()
    project.write("data/new.txt", "not committed\n")
    file = project.workflow("""
        workflow:
          name: ci
          defaults: {network: none}
          jobs:
            - name: many
              matrix: {axes: {n: [1, 2]}, max_parallel: 1}
              env: {N: "{{ matrix.n }}"}
              steps:
                - {name: look, run: "cat data/input.txt data/new.txt; echo n=$N; id; pwd; echo $HOME; echo to err >&2; echo x >data/written"}
                - {name: put, run: "mkdir -p out; echo made $N >out/file; slipway output number $N || true"}
              artifacts: [{name: "out-{{ matrix.n }}", paths: ["out/**"]}]
            - name: after
              depends_on: [many]
              uses_artifacts: [out-1, out-2]
              steps:
                - {name: use, run: "cat /job/inputs/out-1/out/file /job/inputs/out-2/out/file"}
                - {name: fail, run: "exit 7"}
                - {name: never, run: "true"}
            - {name: skipped, depends_on: [after], run: "true"}
            - {name: always, depends_on: [after], condition: always, run: echo always}
        """)
    before = project.snapshot()

    def seen(*arguments):
        ran = slipway.run(file, *arguments).expect(1)
        jobs = [(j["name"], j["outcome"], [(s["name"], s["outcome"], s.get("exit_code")) for s in j["steps"]]) for j in ran.finished["jobs"]]
        lines = sorted((e.get("job"), e.get("step"), e.get("stream"), e["text"]) for e in ran.of("output"))
        return jobs, lines, sorted({e["type"] for e in ran.events})

    ours, natives = seen(), seen("--backend", "native", "--image", str(root))
    assert ours == natives
    assert ("many (1)" in str(ours) or "many" in str(ours)) and "from the tree" in str(ours) and "not committed" in str(ours)
    assert project.snapshot() == before, "the user's tree was written to"
    no_containers(daemon)
    assert sandbox_directories(slipway.state) == []



def test_a_cache_is_kept_from_run_to_run(slipway):
    file = job(slipway.project, "cat .deps/x || { mkdir -p .deps; echo kept >.deps/x; echo made; }", cache=[{"key": "k", "paths": [".deps"]}])
    assert slipway.run(file).expect(0).output().endswith("made\n")
    assert slipway.run(file).expect(0).output() == "kept\n"


def test_the_image_is_pinned_and_its_files_are_not_written(slipway):
    assert slipway.run(job(slipway.project, "echo x >/bin/made-by-a-step || true; ls /bin/made-by-a-step", run_as="root")).expect(0)
    assert slipway.run(job(slipway.project, "ls /bin/made-by-a-step", run_as="root")).expect(1)


@pytest.mark.parametrize("keys, run", [
    ({"read_only_root": True}, "touch /tmp/x /job/x; ! touch /etc/x"),
    ({"workspace": "/data"}, 'test "$PWD" = /data/src; touch /data/x'),
    ({"run_as": "root"}, 'test "$(id -u)" = 0'),
    ({"run_as": 4242}, 'test "$(id -u)" = 4242; touch /job/src/x'),
])
def test_keys_of_a_job_hold(slipway, keys, run):
    slipway.run(job(slipway.project, "set -e\n" + run, **keys)).expect(0)


# --- ends ---

def test_cancel_ends_the_container(slipway, daemon):
    running = slipway.start("run", "--json", job(slipway.project, "trap 'echo cleaned up; exit 1' TERM INT; echo up; while :; do sleep 0.05; done"))
    running.wait_for('"text":"up"')
    running.signal(SIGINT)
    ran = running.ended(20).expect(130)
    assert ran.outcomes() == {"job": "cancelled"} and "cleaned up" in ran.output()
    no_containers(daemon)


def test_timeout_ends_the_job(slipway, daemon):
    ran = slipway.run(job(slipway.project, "echo up; sleep 50", timeout="1s")).expect(124)
    assert ran.outcomes() == {"job": "timed_out"} and ran.output() == "up\n"
    no_containers(daemon)


def test_a_memory_limit_is_told_as_out_of_memory(slipway):
    ran = slipway.run(job(slipway.project, "echo up; tail /dev/zero", resources={"memory": "64MiB"})).expect(1)
    assert ran.outcomes() == {"job": "out_of_memory"}


def test_a_pids_limit_holds(slipway):
    ran = slipway.run(job(slipway.project, "i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done; echo all; kill $(jobs -p)", resources={"pids": 20}))
    assert "all" not in ran.output()


def test_a_limit_that_cannot_be_held_is_told(slipway):
    file = job(slipway.project, "true", resources={"disk": "1GiB"})
    assert "disk" in slipway.run(file).expect(0).err
    assert "disk" in slipway("run", "--require-limits", file).expect(4).err


def test_kill_9_of_slipway_leaves_nothing_for_long(slipway, daemon):
    running = slipway.start("run", "--json", job(slipway.project, "echo up; sleep 50"))
    running.wait_for('"text":"up"')
    [container] = daemon.containers()
    pid = daemon.json(f"/containers/{container['Id']}/json")["State"]["Pid"]
    running.signal(SIGKILL)
    wait_until(lambda: not is_alive(pid), 3, what="the end of the container's first process")
    no_containers(daemon)
    assert len(sandbox_directories(slipway.state)) == 1
    assert slipway.run(job(slipway.project, "echo next")).expect(0).output() == "next\n"
    assert sandbox_directories(slipway.state) == []


def test_what_was_left_behind_is_swept_by_its_label(slipway, daemon):
    slipway.run(job(slipway.project, "true")).expect(0)  # the state directory is there
    labels = {"slipway.sandbox": "left-behind", "slipway.state": str(slipway.state.resolve())}
    others = {"slipway.sandbox": "of-another", "slipway.state": "/elsewhere"}
    for name, label in (("slipway-left-behind", labels), ("slipway-of-another", others)):
        body = json.dumps({"Image": docker.IMAGE, "Cmd": ["sleep", "50"], "Labels": label, "HostConfig": {"NetworkMode": "none"}}).encode()
        connection = docker.Connection(daemon.socket)
        connection.request("POST", f"/containers/create?name={name}", body, {"Content-Type": "application/json"})
        assert connection.getresponse().status == 201
        connection.close()
        assert daemon.api("POST", f"/containers/{name}/start")[0] == 204
    try:
        slipway.run(job(slipway.project, "true")).expect(0)
        assert [c["Names"] for c in daemon.containers()] == [["/slipway-of-another"]]
    finally:
        daemon.api("DELETE", "/containers/slipway-of-another?force=1")


def test_kill_9_of_the_daemon_is_an_infrastructure_failure_at_once(slipway, daemon):
    running = slipway.start("run", "--json", job(slipway.project, "echo up; sleep 50", retry={"attempts": 0}))
    running.wait_for('"text":"up"')
    pid = daemon.json(f"/containers/{daemon.containers()[0]['Id']}/json")["State"]["Pid"]
    began = time.monotonic()
    daemon.kill()
    try:
        ran = running.ended(15)
        assert time.monotonic() - began < 5
        assert ran.outcomes() == {"job": "infra_failed"}, ran
        assert "the Docker daemon went away" in ran.of("job_finished")[-1]["reason"], ran
        assert not is_alive(pid)
        failed = slipway("run", job(slipway.project, "true")).expect(5)
        assert "is the Docker daemon running?" in failed.err
        assert ran.output() == "up\n"
    finally:
        daemon.start()
    assert slipway.run(job(slipway.project, "echo next")).expect(0).output() == "next\n"
    assert no_containers(daemon) and sandbox_directories(slipway.state) == []


# --- without root ---

def test_a_member_of_the_group_runs_jobs_on_a_copy_of_the_tree(daemon):
    user = 65501
    home = daemon.root / "member"  # each start of a pytest closes the directories of all of root's
    before = os.stat(daemon.socket)
    command = [*daemon.inside, "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", str(BUILD / "slipway")]
    with Slipway(home, home / "state", Project(home / "project"), command) as slipway:
        slipway.environment |= {"DOCKER_HOST": f"unix://{daemon.socket}", "SLIPWAY_CONFIG_BACKEND": "docker"}
        slipway.project.write("dir/file", "from the tree\n")
        os.symlink("file", slipway.project.path / "dir" / "link")
        slipway.project.commit()
        service = {"name": "web", "image": docker.IMAGE, "command": ["httpd", "-f", "-p", "80"], "ready": {"tcp": 80}}
        file = job(slipway.project, "cat dir/link; echo x >dir/file; id -u; wget -qO- http://web/etc/hostname; git status 2>/dev/null || true; ls -a",
                   services=[service], network="none")
        for path in (home, *home.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)
        tree = slipway.project.snapshot()
        os.chown(daemon.socket, before.st_uid, user)
        try:
            ran = slipway.run(file).expect(0)
        finally:
            os.chown(daemon.socket, before.st_uid, before.st_gid)
        assert ran.output().startswith("from the tree\n1001\nweb\n"), ran
        assert slipway.project.snapshot() == tree
        assert no_containers(daemon) and sandbox_directories(home / "state") == []


def beside_a_fork(home, project):
    """A job of trusted text, with a secret, in a run about a fork's source: the source is to be kept apart."""
    (home / "trusted").mkdir(parents=True)
    file, event = home / "trusted/ci.yaml", home / "trusted/event.json"
    file.write_text(json.dumps({"job": {"image": docker.IMAGE, "network": "none", "secrets": ["KEY"], "run": "echo ran; ! touch new; ! ./evil.sh"}}))
    event.write_text(json.dumps({"event": "pull_request", "pr": {"number": 7, "base": "main", "head": "fix", "fork": True}}))
    project.write("evil.sh", "#!/bin/sh\necho evil ran\n").chmod(0o755)
    project.commit()
    return str(file), "--event-file", str(event), "--secret", "KEY"


def test_a_copy_is_not_called_apart(daemon):
    user = 65501
    home = daemon.root / "apart"
    before = os.stat(daemon.socket)
    command = [*daemon.inside, "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", str(BUILD / "slipway")]
    with Slipway(home, home / "state", Project(home / "project"), command) as slipway:
        slipway.environment |= {"DOCKER_HOST": f"unix://{daemon.socket}", "SLIPWAY_CONFIG_BACKEND": "docker"}
        asked = beside_a_fork(home, slipway.project)
        for path in (home, *home.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)
        os.chown(daemon.socket, before.st_uid, user)
        try:
            ran = slipway.run(*asked, env={"KEY": SECRET})
            doctor = slipway("doctor").out
        finally:
            os.chown(daemon.socket, before.st_uid, before.st_gid)
        assert ran.code not in (0, 1) and "the source cannot be kept apart from job code here: only root can mount it" in ran.err + ran.out, ran
        assert "ran\n" not in ran.output() and "cannot be kept apart from job code" in doctor
        [finished] = ran.of("job_finished")
        assert finished["outcome"] == "rejected"
        assert no_containers(daemon) and sandbox_directories(home / "state") == []


def test_where_no_overlay_can_be_made_the_source_is_not_called_apart(slipway, daemon, tmp_path):
    asked = beside_a_fork(tmp_path, slipway.project)
    assert slipway.run(*asked, env={"KEY": SECRET}).expect(0).output().startswith("ran\n")
    for name in ("lower", "upper", "work"):
        (tmp_path / "layers" / name).mkdir(parents=True)
    options = ",".join(f"{key}={tmp_path}/layers/{name}" for key, name in (("lowerdir", "lower"), ("upperdir", "upper"), ("workdir", "work")))
    state = slipway.state / "sandboxes"  # no overlay writes to an overlay
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, state], check=True)
    try:
        ran = slipway.run(*asked, env={"KEY": SECRET})
        assert ran.code not in (0, 1) and "keeping the source apart from job code" in ran.err + ran.out, ran
        assert "ran\n" not in ran.output()
        assert slipway.run(job(slipway.project, "echo plain", secrets=[])).expect(0).output() == "plain\n"
        assert no_containers(daemon)
    finally:
        subprocess.run(["umount", "-l", state], check=True)


# --- walls ---

def test_a_secret_is_in_nothing_that_docker_shows(slipway, daemon):
    file = job(slipway.project, 'echo "token=$TOKEN"; cat /job/secrets/TOKEN; echo up; sleep 50', secrets=["TOKEN", {"name": "TOKEN", "file": "/job/secrets/TOKEN"}])
    running = slipway.start("run", "--json", file, "--secret", "TOKEN", env={"TOKEN": SECRET})
    running.wait_for("up")
    [container] = daemon.containers()
    shown = daemon.api("GET", f"/containers/{container['Id']}/json")[1] + json.dumps(container).encode()
    shown += daemon.api("GET", f"/containers/{container['Id']}/top?ps_args=auxww")[1]
    running.signal(SIGINT)
    ran = running.ended(20)
    assert b"slipway.sandbox" in shown and SECRET.encode() not in shown
    assert "token=***" in ran.output() and SECRET not in ran.out
    kept = b"".join(p.read_bytes() for p in daemon.root.joinpath("data", "containers").rglob("*") if p.is_file())
    assert SECRET.encode() not in kept


@pytest.mark.parametrize("who", ["runner", "root"])
def test_no_step_reaches_init(slipway, who):
    tries = """
        ! kill -9 1
        ! cat /proc/1/environ
        ! ls /proc/1/fd/
        ! head -c 1 /proc/1/mem
        ! ls /proc/1/root/
        ! sh -c 'echo 1000 >/proc/1/oom_score_adj'
        ! renice -n 10 -p 1
        ! touch /run/slipway/x
        ! mount -t tmpfs none /tmp
        ! mknod /tmp/disk b 254 0
        ! nc -w 1 local:/run/slipway/leash </dev/null
        ! unshare -U true
        echo walled
        """
    ran = slipway.run(job(slipway.project, "set -e\n" + tries, run_as=who)).expect(0)
    assert ran.output().count("walled\n") == 1


@pytest.mark.parametrize("network", ["none", "nat"])
def test_the_daemons_socket_is_out_of_reach(slipway, daemon, network):
    """By no path, and by no name: whoever speaks to it is root of the machine."""
    ran = slipway.run(job(slipway.project, f"""
        find / -type s 2>/dev/null | grep -v ^/run/slipway/ || true
        for at in {daemon.socket} /run/docker.sock /var/run/docker.sock /run/slipway/leash /run/slipway/bin/leash; do
            nc -w 1 local:$at </dev/null 2>/dev/null && echo "REACHED $at"; done
        grep -c docker /proc/net/unix || true""", run_as="root", network=network)).expect(0)
    assert ran.output() == "0\n", ran


def test_no_descriptor_of_init_leads_a_step_out(slipway, canary):
    canary.expect_unreached(slipway, image=docker.IMAGE)


@pytest.mark.parametrize("directory", ["etc", "home", "var", "run", "job"])
def test_no_link_of_an_image_leads_its_set_up_out(slipway, daemon, canary, directory):
    """What makes the directories of a container is root there, and holds descriptors from outside."""
    for number in range(3, 12):
        daemon.import_image("slipway-links", docker.busybox_rootfs({directory: f"/proc/self/fd/{number}{CLIMB}{canary.place}"}))
        slipway.run(slipway.project.job(run="true", keys={"image": "slipway-links", "retry": {"attempts": 0}}))
        assert sorted(file.name for file in canary.place.iterdir()) == ["program", "said"], number


def test_an_image_for_all_replaces_what_the_file_says(slipway):
    file = slipway.project.job(run="ls /bin/busybox", keys={"image": "host"})
    refused = slipway("run", file).expect(2)
    assert "E102" in refused.err and "--image" in refused.err
    assert slipway.run(file, "--image", docker.IMAGE).expect(0).output() == "/bin/busybox\n"


def test_a_jobs_own_name_has_an_address_without_a_network(slipway):
    assert slipway.run(job(slipway.project, "grep -c \"127.0.1.1.*$(hostname)\" /etc/hosts")).expect(0).output() == "1\n"


def test_network_none_is_loopback_alone(slipway):
    assert slipway.run(job(slipway.project, "ls /sys/class/net")).expect(0).output() == "lo\n"


def test_network_nat_reaches_neither_the_host_nor_other_jobs(slipway, daemon):
    server = subprocess.Popen([*daemon.inside, "busybox", "nc", "-ll", "-p", "8765", "-e", "echo", "from the host"])
    try:
        file = slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "defaults": {"image": docker.IMAGE}, "jobs": [
            {"name": "server", "run": "ip -4 -o addr show eth0 | awk '{print $4}'; timeout 8 nc -ll -p 8765 -e echo from a job || true"},
            {"name": "client", "run": """
                gateway=$(ip route | awk '/default/{print $3}'); echo gateway $gateway
                sleep 1
                for n in 2 3 4 5; do nc -w 1 ${gateway%.*}.$n 8765 </dev/null && echo reached $n; done
                nc -w 1 $gateway 8765 </dev/null && echo reached the host
                nc -w 1 127.0.0.1 8765 </dev/null && echo reached loopback
                nc -w 1 169.254.169.254 80 </dev/null && echo reached metadata
                echo done"""}]}}))
        ran = slipway.run(file, "--max-parallel", "2").expect(0)
    finally:
        server.kill()
        server.wait()
    assert "gateway 1" in ran.output("client") and "done" in ran.output("client")
    assert "reached" not in ran.output("client") and "from" not in ran.output("client")


# --- images ---

@pytest.fixture
def registry(daemon, tmp_path):
    if not shutil.which("skopeo") or not shutil.which("docker-registry"):
        pytest.skip("needs skopeo and docker-registry")
    made = Registry(tmp_path / "registry", inside=daemon.inside)
    yield made
    made.stop()


def saying(path, word: str):
    """A layout with an image that says a word."""
    return layout(path, [base(), layer(entry("word", word.encode() + b"\n"))])


def says(slipway, image, *options):
    return slipway.run(job(slipway.project, "cat /word", image=image, retry={"attempts": 0}), *options)


def pinned(slipway) -> str:
    [one] = json.loads(slipway("runs", "view", "--json").expect(0).out)["jobs"]
    return one["attempts"][-1]["image"]


def pulls(ran) -> bool:
    return "pulling" in json.dumps(ran.events)


def test_an_image_that_is_not_here_is_pulled_and_pinned_by_its_digest(slipway, registry, tmp_path):
    name = registry.push(saying(tmp_path / "one", "one"), "team/tool:1")
    ran = says(slipway, name).expect(0)
    assert ran.output() == "one\n" and f"{name}: pulling" in json.dumps(ran.events), ran
    pin = pinned(slipway)
    assert re.fullmatch(rf"{registry.host}/team/tool@sha256:[0-9a-f]{{64}}", pin)
    assert pin in slipway("runs", "view").expect(0).out
    assert not pulls(says(slipway, name).expect(0))
    assert says(slipway, pin).expect(0).output() == "one\n" and pinned(slipway) == pin
    missing = says(slipway, f"{registry.host}/team/tool:2")
    assert missing.outcomes() == {"job": "rejected"}, missing
    assert "is not on this machine" in missing.of("job_finished")[-1]["reason"], missing


def test_pull_says_when_a_registry_is_asked(slipway, registry, tmp_path):
    name = registry.push(saying(tmp_path / "one", "one"), "moving:1")
    never = slipway.run(job(slipway.project, "true", image=name), "--pull", "never").expect(2)
    assert "images are not to be fetched" in never.of("job_finished")[-1]["reason"] and not pulls(never)
    says(slipway, name).expect(0)
    before = pinned(slipway)
    registry.push(saying(tmp_path / "two", "two"), "moving:1")
    assert says(slipway, name).expect(0).output() == "one\n"
    assert says(slipway, name, "--pull", "always").expect(0).output() == "two\n"
    assert pinned(slipway) != before
    assert says(slipway, before, "--pull", "always").expect(0).output() == "one\n"
    two_jobs = slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "defaults": {"image": name, "network": "none"}, "jobs": [
        {"name": "first", "run": "cat /word"}, {"name": "second", "depends_on": ["first"], "run": "cat /word"}]}}))
    asked = slipway.run(two_jobs, "--pull", "always").expect(0)
    assert asked.output("second") == "two\n"
    assert {e["job"] for e in asked.of("notice") if "pulling" in e["message"]} == {"first"}, "a run asks once"
    registry.stop()
    assert says(slipway, name, "--pull", "never").expect(0).output() == "two\n"
    assert "pulling it failed" in says(slipway, name, "--pull", "always").of("job_finished")[-1]["reason"]


def test_an_image_of_dockers_own_is_never_asked_of_a_registry(slipway, daemon):
    ran = slipway.run(job(slipway.project, "echo here", image=f"docker-daemon:{docker.IMAGE}"), "--pull", "always").expect(0)
    assert ran.output() == "here\n" and re.fullmatch("sha256:[0-9a-f]{64}", pinned(slipway))
    absent = slipway.run(job(slipway.project, "true", image="docker-daemon:nowhere/such:1")).expect(2)
    assert "nowhere/such:1" in absent.of("job_finished")[-1]["reason"] and not pulls(absent)
    service = {"name": "db", "image": f"docker-daemon:{docker.IMAGE}:latest", "command": ["sh", "-c", "echo up; sleep 60"], "ready": {"log": "up"}}
    slipway.run(job(slipway.project, "true", services=[service])).expect(0)


@pytest.mark.parametrize("image", ["oci:/images:tool", "docker-archive:/tool.tar"])
def test_layouts_and_archives_are_refused_by_the_plan_with_the_way_into_docker(slipway, image):
    way = f"skopeo copy {image} docker-daemon:NAME:TAG"
    of_job = slipway.project.workflow(json.dumps({"job": {"name": "job", "image": image, "run": "true"}}))
    for command in ("run", "lint", "plan"):
        said = slipway(command, of_job).expect(2)
        assert "E102" in str(said) and way in str(said) and "ci.yaml:1:" in str(said), said
    of_service = job(slipway.project, "true", services=[{"name": "db", "image": image}])
    late = slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [
        {"name": "job", "image": "{{ matrix.i }}", "matrix": {"axes": {"i": [image]}}, "run": "true"}]}}), "late")
    for file in (of_service, late):
        said = slipway("run", file).expect(2)
        assert "E102" in str(said) and way in str(said), said
    said = slipway("run", "--image", image, job(slipway.project, "true", image=docker.IMAGE)).expect(2)
    assert "--image" in said.err and way in said.err


def test_an_image_of_a_layout_gets_into_docker_as_the_refusal_says(slipway, daemon, tmp_path):
    if not shutil.which("skopeo"):
        pytest.skip("needs skopeo")
    where = saying(tmp_path / "made", "made")
    copy(f"oci:{where}:t", "docker-daemon:made:1", "--dest-daemon-host", f"unix://{daemon.socket}", inside=daemon.inside)
    assert says(slipway, "made:1").expect(0).output() == "made\n"


def with_user(daemon, user: str, link: str = "") -> str:
    """The name of an image whose entrypoint tells who it is. `link`: where its /etc/passwd leads instead."""
    files = {"etc/passwd": b"root:x:0:0::/:/bin/sh\napp:x:1234:55::/:/bin/sh\n", "etc/group": b"root:x:0:\napp:x:55:\n"}
    out = io.BytesIO(docker.busybox_rootfs())
    with tarfile.open(fileobj=out, mode="a") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            if link and name == "etc/passwd":
                entry.type, entry.linkname = tarfile.SYMTYPE, link
            else:
                entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    daemon.import_image("slipway-user", out.getvalue(), f"USER {user}", 'ENTRYPOINT ["/bin/busybox", "id", "-u"]')
    return "slipway-user"


@pytest.mark.parametrize("user, uid", [("app", "1234"), ("app:app", "1234"), ("4321", "4321"), ("root", "0")])
def test_an_images_entrypoint_runs_as_its_own_user(slipway, daemon, user, uid):
    image = with_user(daemon, user)
    assert slipway.run(slipway.project.job(keys={"image": image})).expect(0).output() == f"{uid}\n"
    service = {"name": "who", "image": image}
    ran = slipway.run(job(slipway.project, "sleep 5", services=[service])).expect(1)
    assert uid in slipway("logs", ran.finished["run"], "job", "--service", "who").out.split()
    assert no_containers(daemon) and sandbox_directories(slipway.state) == []


@pytest.mark.parametrize("link", ["", "/etc/shadow", "/proc/self/environ"])
def test_an_image_whose_user_is_not_in_it_is_refused(slipway, daemon, link):
    ran = slipway.run(slipway.project.job(keys={"image": with_user(daemon, "gone", link=link)})).expect(2)
    assert "runs as the user `gone`, which its /etc/passwd does not have" in ran.of("job_finished")[-1]["reason"]
    assert no_containers(daemon) and sandbox_directories(slipway.state) == []


# --- errors ---

def test_errors_say_what_to_do(slipway, daemon, tmp_path):
    file = job(slipway.project, "true")
    assert "is the Docker daemon running?" in slipway("run", file, env={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}).expect(5).err
    tcp = slipway("run", file, env={"DOCKER_HOST": "tcp://127.0.0.1:2375"}).expect(2).err
    assert "shares no file system" in tcp
    assert f"needs `unix://` before the path: unix://{daemon.socket}" in slipway("run", file, env={"DOCKER_HOST": daemon.socket}).expect(2).err
    host = slipway("run", job(slipway.project, "true", image="host")).expect(2)
    assert "E102" in host.err and "--backend native" in host.err
    absent = slipway.run(job(slipway.project, "true", image="no.such.registry.invalid/tool:1", retry={"attempts": 1}))
    reason = absent.of("job_finished")[-1]["reason"]
    assert absent.code != 0 and "no.such.registry.invalid/tool:1" in reason and "is not on this machine" in reason


def test_a_user_without_the_right_to_the_socket_is_told(daemon, tmp_path):
    home = tmp_path / "home"
    with Slipway(home, home / "state", Project(home / "project"), ["setpriv", "--reuid=65500", "--regid=65500", "--clear-groups", str(BUILD / "slipway")]) as slipway:
        slipway.environment |= {"DOCKER_HOST": f"unix://{daemon.socket}"}
        file = job(slipway.project, "true")
        for path in (home, *home.rglob("*")):
            os.chown(path, 65500, 65500)
        for path in (tmp_path, *tmp_path.parents):
            if not os.stat(path).st_mode & 1 and str(path).startswith("/tmp/"):
                os.chmod(path, 0o711)
        ran = slipway("run", "--backend", "docker", file).expect(4)
        assert "group `docker`" in ran.err


def test_doctor_tells_of_docker(slipway):
    checks = {c["name"]: c for c in json.loads(slipway("doctor", "--json").out)["checks"]}
    assert checks["docker"]["health"] == "good" and "Docker" in checks["docker"]["detail"]


# --- the contract of every backend ---

def test_the_contract_of_backends_holds(daemon):
    program = BUILD / "bin" / "sandbox_test"
    if not program.exists():
        pytest.skip("sandbox_test is not built")
    done = subprocess.run([*daemon.inside, program, "--gtest_filter=Backends/*/docker"], env=os.environ | {"DOCKER_HOST": f"unix://{daemon.socket}"},
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and " 0 tests" not in done.stdout, done.stdout[-4000:]


def test_hooks_surround_the_steps_and_change_their_environment(slipway):
    hooks = [{"phase": "pre_container", "run": """test -s "$SLIPWAY_HOOK_CONTEXT" && echo '{"env": {"WHO": "hook"}}' >"$SLIPWAY_HOOK_CHANGES" """},
             {"phase": "on_error", "run": "echo error"}, {"phase": "cleanup", "run": "echo cleaned"}]
    ran = slipway.run(job(slipway.project, 'echo "step of $WHO"; exit 3', hooks=hooks)).expect(1)
    assert ran.output() == "step of hook\nerror\ncleaned\n", ran


def test_jobs_that_a_job_asks_for_join_the_run(slipway):
    ran = slipway.run(job(slipway.project, "slipway trigger --job next --run 'echo next'"), "--follow").expect(0)
    assert ran.output("next") == "next\n", ran

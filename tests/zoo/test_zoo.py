"""Ill-behaved programs, one property each (programs/), run by `slipway run` as a user would run them."""
import collections
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import docker
import pytest
from canary import CLIMB
from harness import BACKENDS, cgroups, descendants, is_alive, mounts_below, not_held, sandbox_directories, wait_until

PROGRAMS = Path(__file__).parent / "programs"
BOTH = pytest.mark.parametrize("backend", BACKENDS)
WHO = pytest.mark.parametrize("run_as", ["runner", "root"])


@pytest.fixture(scope="session")
def zoo(tmp_path_factory):
    """Where the compiled programs lie. Static, so that they run whatever the sandbox shows."""
    built = tmp_path_factory.mktemp("zoo")
    for source in sorted(PROGRAMS.glob("*.c")):
        subprocess.run(["gcc", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-o", built / source.stem, source], check=True)
    return built


class Zoo:
    def __init__(self, slipway, built):
        self.slipway, self.built = slipway, built

    def job(self, program: str, *arguments: str, keys: dict | None = None, after: str = "", before: str = "", run_as: str = "runner") -> str:
        shutil.copy(self.built / program, self.slipway.project.path / program)
        run = f"{before}\n./{program} {' '.join(arguments)}\n{after}"
        return self.slipway.project.job(run=run, keys={"run_as": run_as, **(keys or {})})

    def run(self, program: str, *arguments: str, options: tuple = (), **job):
        return self.slipway.run(self.job(program, *arguments, **job), *options)


@pytest.fixture
def animals(slipway, zoo):
    return Zoo(slipway, zoo)


def journal_is_whole(ran) -> None:
    """The history shows the same as was seen live, to the last line."""
    [job] = ran.finished["jobs"]
    assert job["steps"] and all(step["outcome"] for step in job["steps"]), ran


# --- limits ---

@BOTH
@pytest.mark.limit("pids")
def test_a_fork_bomb_meets_the_pids_limit_and_leaves_nothing(animals):
    ran = animals.run("fork_bomb", keys={"resources": {"pids": 64}}).expect(0)
    assert int(ran.output().split()[0]) <= 64


@BOTH
@pytest.mark.limit("pids")
def test_a_fork_bomb_does_not_starve_another_job(animals):
    animals.job("fork_bomb")
    file = animals.slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "defaults": {"image": animals.slipway.project.image, "network": "none"}, "jobs": [
        {"name": "bomb", "resources": {"pids": 64}, "timeout": "20s", "run": "./fork_bomb; sleep 1"},
        {"name": "victim", "run": "for i in $(seq 50); do sh -c true; done"}]}}))
    ran = animals.slipway.run(file, "--max-parallel", "2")
    assert ran.outcomes()["victim"] == "succeeded"


@BOTH
@pytest.mark.limit("memory")
def test_a_memory_hog_is_out_of_memory_and_its_output_is_kept(animals):
    ran = animals.run("memory_hog", keys={"resources": {"memory": "64MiB"}}).expect(1)
    assert ran.outcomes() == {"job": "out_of_memory"}
    assert "growing\n" in ran.output()


@BOTH
@pytest.mark.limit("disk")
@pytest.mark.parametrize("where", ["/job/src/filler", "/tmp/filler", "/home/runner/filler"])
def test_a_disk_hog_meets_the_disk_limit_wherever_it_writes(animals, where):
    ran = animals.run("disk_hog", where, keys={"resources": {"disk": "100MiB", "memory": "1GiB"}}).expect(0)
    assert "stopped at" in ran.output()
    assert int(ran.output().split("stopped at ")[1].split()[0]) <= 110


@BOTH
@pytest.mark.limit("disk")
def test_a_full_disk_does_not_cost_the_journal(animals):
    ran = animals.run("disk_hog", "/tmp/filler", keys={"resources": {"disk": "50MiB", "memory": "1GiB"}}, after="echo said afterwards; exit 3")
    assert "said afterwards" in ran.output() and ran.job("job")["exit_code"] == 3


@BOTH
def test_a_log_flood_leaves_memory_flat_and_keeps_head_and_tail(animals):
    running = animals.slipway.start("run", animals.job("log_flood", "512"), "--quiet", "--log-cap", "4MiB")
    peak = 0
    while running.process.poll() is None:
        for pid in [running.pid, *descendants(running.pid)]:
            try:
                peak = max(peak, *(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")))
            except (OSError, ValueError, TypeError):
                pass
        time.sleep(0.02)
    running.ended().expect(0)
    assert peak < 160_000, f"{peak} kB resident"
    logged = animals.slipway("logs", "latest").expect(0).out
    assert "first line" in logged and "last line" in logged and len(logged) < 40_000_000


# --- children ---

@BOTH
def test_a_daemon_that_holds_stdout_does_not_hang_the_job(animals):
    begin = time.monotonic()
    ran = animals.run("double_fork_daemon").expect(0)
    assert "parent is done" in ran.output() and time.monotonic() - begin < 8


@BOTH
def test_a_program_that_ignores_every_signal_ends_at_its_timeout(animals):
    begin = time.monotonic()
    ran = animals.run("ignores_signals", keys={"timeout": "1s"}).expect(124)
    assert "ignoring" in ran.output() and time.monotonic() - begin < 20


@BOTH
def test_a_thousand_orphans_are_reaped(animals):
    animals.run("orphans", keys={"resources": {"pids": 64}}).expect(0)


@BOTH
@pytest.mark.many_ids
def test_kill_of_everyone_spares_init_and_the_journal(animals):
    ran = animals.run("kills_everyone", after="echo never || true")
    assert "before the last" in ran.output() and "ALLOWED" not in ran.output()
    journal_is_whole(ran)


# --- a step against its own init ---

@BOTH
@WHO
@pytest.mark.parametrize("program", ["trace_init", "limit_init", "keyring", "namespaces", "mounts", "kernel"])
def test_all_of_it_is_refused_and_the_journal_goes_on(animals, program, run_as):
    if program == "limit_init" and (missing := not_held("user ids")):
        pytest.skip(missing)
    ran = animals.run(program, run_as=run_as, after="code=$?; seq 1 50000; echo said afterwards; exit $code")
    allowed = [line for line in ran.output().splitlines() if line.startswith("ALLOWED")]
    assert allowed == [] and ran.code == 0, ran
    assert ran.output().endswith("50000\nsaid afterwards\n")
    journal_is_whole(ran)


@WHO
@pytest.mark.parametrize("nested", [False, True], ids=["plain", "nested"])
def test_no_descriptor_of_init_leads_out_of_the_sandbox(slipway, canary, run_as, nested):
    if nested:
        slipway.config("sandbox:\n  allow_nested: true\n")
    canary.expect_unreached(slipway, run_as=run_as, nested=nested)


@BOTH
@WHO
def test_no_descriptor_of_init_gets_files_of_the_host_packed(slipway, canary, run_as):
    canary.expect_not_packed(slipway, run_as=run_as)


@pytest.mark.parametrize("directory", ["etc", "home", "var", "run", "job"])
def test_no_link_of_an_image_leads_its_set_up_out(slipway, canary, tmp_path, directory):
    """Also not where the way to the image is one that the kernel is told of by a descriptor."""
    for number in range(3, 20):
        image = tmp_path / f"image, {number}"
        image.mkdir()
        with tarfile.open(fileobj=io.BytesIO(docker.busybox_rootfs({directory: f"/proc/self/fd/{number}{CLIMB}{canary.place}"}))) as tar:
            tar.extractall(image)
        canary.run(slipway, [{"name": "job", "image": str(image), "run": "echo $SLIPWAY_JOB >/tmp/x", "retry": {"attempts": 0}, "secrets": [{"name": "KEY", "file": "/job/secrets/KEY"}]}],
                   "--secret", "KEY", env={"KEY": "a-secret-of-the-zoo"})


@BOTH
@WHO
@pytest.mark.many_ids
def test_limits_put_on_init_do_not_silence_later_steps(slipway, zoo, run_as):
    shutil.copy(zoo / "limit_init", slipway.project.path / "limit_init")
    file = slipway.project.job(steps=[("attack", "./limit_init || true"), ("after", "head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 100; echo end")], keys={"run_as": run_as})
    ran = slipway.run(file).expect(0)
    assert ran.output(step="after").endswith("end\n") and len(ran.output(step="after")) > 3_000_000


@BOTH
@pytest.mark.many_ids
def test_root_of_a_job_is_not_root_of_the_host(slipway):
    secret = slipway.home / "host-secret"
    secret.write_text("only root of the host reads this")
    secret.chmod(0o600)
    file = slipway.project.job(run=f"""
        id -u; cat {secret} 2>&1 || true; cat /etc/shadow 2>&1 || true; ls /root /home /var/lib 2>&1 || true
        cp /bin/sh ./rootsh && chmod 4755 ./rootsh && ls -l rootsh
        """, keys={"run_as": "root"})
    ran = slipway.run(file).expect(0)
    assert ran.output().startswith("0\n")
    assert "only root" not in ran.output() and not re.search(r"^root:.*:", ran.output(), re.M)


@BOTH
def test_setuid_programs_give_nothing(slipway):
    ran = slipway.run(slipway.project.job(run="grep NoNewPrivs /proc/self/status; cp /usr/bin/id ./id; chmod 4755 id; ./id -u; cat /proc/self/status | grep CapEff")).expect(0)
    assert "NoNewPrivs:\t1" in ran.output()
    assert "CapEff:\t0000000000000000" in ran.output()


@BOTH
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a keyring of root's is what must not be seen")
def test_a_key_of_the_starter_is_not_readable(slipway):
    # The starter's session keyring, through the file that lists keys: no call is needed for that.
    ran = slipway.run(slipway.project.job(run="cat /proc/keys /proc/key-users 2>/dev/null || true")).expect(0)
    assert "zoo" not in ran.output()


LEAD_ASTRAY = """
    mv /run/slipway /run/moved 2>/dev/null && echo "ALLOWED mv /run/slipway"
    mv /run /moved-run 2>/dev/null && echo "ALLOWED mv /run"
    rm -rf /run/slipway 2>/dev/null || true
    for at in /run/slipway /run/slipway/bin /job/secrets; do
      touch $at/x 2>/dev/null && echo "ALLOWED $at"; done
    mkdir -p /run/slipway 2>/dev/null || true
    for name in 1.script 1.sock event.json; do ln -sf /tmp/planted /run/slipway/$name 2>/dev/null && echo "ALLOWED link $name"; done
    # The workspace itself may be moved by its root. What init writes must not follow.
    mv /job /moved 2>/dev/null && mkdir -p /job/src && mkdir /tmp/caught && chmod 777 /tmp/caught && ln -s /tmp/caught /job/secrets
    echo attacked
    """


@BOTH
@WHO
@pytest.mark.many_ids
def test_no_step_leads_init_to_another_place(slipway, run_as):
    """Scripts, sockets and secret files of later steps lie where init put them."""
    job = {"name": "job", "image": slipway.project.image, "network": "none", "run_as": run_as, "steps": [
        {"name": "attack", "run": LEAD_ASTRAY},
        {"name": "later", "run": "slipway output answer 42; test -e /moved/secrets/KEY && echo found /moved/secrets/KEY; ls -l /tmp/planted /tmp/caught/KEY 2>/dev/null || true; echo later",
         "secrets": [{"name": "KEY", "file": "/job/secrets/KEY"}]}], "outputs": ["answer"]}
    file = slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [job]}}))
    ran = slipway.run(file, "--secret", "KEY", env={"KEY": "a-secret-of-the-zoo"}).expect(0)
    assert "ALLOWED" not in ran.output() and "attacked\n" in ran.output(), ran
    found = [line for line in ran.output(step="later").splitlines() if line != "later"]
    assert found == (["found /moved/secrets/KEY"] if run_as == "root" else []), ran


@BOTH
def test_devices_that_root_of_a_job_replaces_do_not_hold_init_up(slipway):
    swap = "for name in null ptmx; do rm /dev/$name && mkfifo -m 666 /dev/$name; done; echo '<testsuite><testcase name=\"t\"/></testsuite>' >t.xml"
    began = time.monotonic()
    ran = slipway.run(slipway.project.job(steps=[("swap", swap), ("next", "echo went on")], keys={"run_as": "root", "timeout": "20s", "tests": ["*.xml"]}))
    assert ran.output(step="next") == "went on\n" and ran.step("next")["outcome"] == "succeeded" and time.monotonic() - began < 20, ran


def test_what_init_writes_lies_on_mounts_of_its_own(slipway):
    ran = slipway.run(slipway.project.job(run="stat -c '%d %U' /run/slipway /job/secrets / /job /run; grep -E ' (/run/slipway|/job/secrets) ' /proc/self/mountinfo | grep -o 'size=[0-9]*k'")).expect(0)
    *places, first, second = ran.output().splitlines()
    runtime, secrets, *others = [line.split()[0] for line in places]
    assert runtime not in others + [secrets] and secrets not in others, ran
    assert {first, second} == {"size=65536k"}


@BOTH
@pytest.mark.limit("disk")
def test_a_disk_filled_by_one_step_does_not_keep_the_next_from_starting(animals):
    shutil.copy(animals.built / "disk_hog", animals.slipway.project.path / "disk_hog")
    steps = [("fill", "for at in /tmp/f /run/f /dev/shm/f; do ./disk_hog $at || true; done"), ("next", "slipway output n 1; echo next; exit 3")]
    ran = animals.slipway.run(animals.slipway.project.job(steps=steps, keys={"outputs": ["n"], "run_as": "root", "resources": {"disk": "50MiB", "memory": "1GiB"}})).expect(1)
    assert ran.outcomes() == {"job": "failed"} and ran.step("next")["exit_code"] == 3 and "next\n" in ran.output(), ran


# --- the control socket ---

@BOTH
def test_nonsense_on_the_control_socket_harms_only_the_speaker(animals):
    ran = animals.run("socket_garbage", after="slipway output answer 42 && echo still served",
                      keys={"outputs": ["answer"]})
    assert "done\n" in ran.output() and "still served" in ran.output(), ran


IDLERS = """
    python3 -c '
import os, socket, time
held = []
for kind in range(2):
    for _ in range(70):
        one = socket.socket(socket.AF_UNIX)
        one.setblocking(False)
        try:
            one.connect(os.environ["SLIPWAY_SOCKET"])
            if kind: one.send(b"\\x10")
        except OSError: pass
        held.append(one)
print("held", flush=True)
time.sleep(60)' &
    sleep 0.5
    timeout 20 slipway output answer 42 && echo served
    """


@BOTH
def test_idle_connections_to_the_control_socket_block_nobody(slipway):
    ran = slipway.run(slipway.project.job(run=IDLERS, keys={"outputs": ["answer"]}))
    assert "held\n" in ran.output() and "served\n" in ran.output(), ran


# --- network ---

class Listener:
    """A service of this host, on every address, that counts who reaches it."""

    def __enter__(self):
        self.socket = socket.create_server(("0.0.0.0", 0))
        self.port = self.socket.getsockname()[1]
        self.reached = 0
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.reached += 1
            connection.close()

    def __exit__(self, *_):
        self.socket.close()


def own_addresses() -> list[str]:
    out = subprocess.run(["ip", "-o", "-4", "addr", "show", "scope", "global"], capture_output=True, text=True, check=True).stdout
    return [line.split()[3].split("/")[0] for line in out.splitlines()]


@pytest.mark.nat
def test_services_of_the_host_are_not_reached_from_a_nat_network(slipway):
    with Listener() as listener:
        file = slipway.project.job(run=f"""
            gateway=$(ip -4 route show default | sed -n 's/.*via \\([0-9.]*\\).*/\\1/p')
            echo "gateway $gateway"
            for address in $gateway 127.0.0.1 {' '.join(own_addresses())}; do
              if timeout 2 bash -c "exec 3<>/dev/tcp/$address/{listener.port}" 2>/dev/null; then echo "REACHED $address"; else echo "not $address"; fi
            done
            """, keys={"network": "nat"})
        ran = slipway.run(file).expect(0)
        assert "REACHED" not in ran.output() and "gateway 1" in ran.output(), ran
        assert listener.reached == 0


@BOTH
def test_network_none_has_loopback_only(slipway):
    ran = slipway.run(slipway.project.job(run="ip -o link | sed 's/@.*//' | awk '{print $2}'; ping -c1 127.0.0.1 >/dev/null 2>&1 || true; cat /proc/net/route | wc -l")).expect(0)
    assert ran.output().split() == ["lo:", "1"]


@BOTH
def test_abstract_sockets_of_the_host_are_not_there(slipway):
    server = socket.socket(socket.AF_UNIX)
    server.bind("\0slipway-zoo")
    server.listen()
    try:
        ran = slipway.run(slipway.project.job(run="grep -c slipway-zoo /proc/net/unix || true")).expect(0)
        assert ran.output() == "0\n"
    finally:
        server.close()


# --- files that are read from a job ---

TRICKS = {
    "link": "ln -sf {secret} {file}",
    "link to a file of the job's": "echo K=leak >/tmp/mine; ln -sf /tmp/mine {file}",
    "FIFO": "rm -f {file}; mkfifo {file}",
    "directory": "rm -f {file}; mkdir {file}",
    "huge": "truncate -s 100G {file}",
    "no text": "head -c 100000 /dev/urandom >{file}",
    "link to /proc": "ln -sf /proc/1/environ {file}",
    "link to /dev/zero": "ln -sf /dev/zero {file}",
}


@BOTH
@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("file", ["/job/outputs.env", "/job/triggers.json"])
def test_a_trick_at_a_file_that_is_read_from_the_job_leads_nowhere(slipway, trick, file):
    secret = slipway.home / "secret"
    secret.write_text("LEAK=of-the-host\n")
    begin = time.monotonic()
    ran = slipway.run(slipway.project.job(run=TRICKS[trick].format(file=file, secret=secret) + "\necho done"))
    assert time.monotonic() - begin < 15
    assert ran.output() == "done\n" and "of-the-host" not in ran.out + ran.err
    assert ran.finished["jobs"][0]["outcome"] in ("succeeded", "failed"), ran


@pytest.mark.parametrize("make", ["ln -s /etc out", "mkdir out && ln -s /etc/passwd out/p && ln -s .. out/up", "mkdir out && mkfifo out/f",
                                  "mkdir out && ln /usr/bin/env out/hard 2>/dev/null; true", "rm -rf /job/artifacts; ln -s /etc /job/artifacts"])
@BOTH
def test_an_artifact_takes_nothing_through_links_and_never_blocks(slipway, make, tmp_path):
    file = slipway.project.job(run=f"{make}\necho fine >fine", keys={"artifacts": [{"name": "a", "paths": ["out", "out/**", "fine"]}]})
    begin = time.monotonic()
    ran = slipway.run(file)
    assert time.monotonic() - begin < 15
    for name in ("a", "artifacts"):
        slipway("runs", "artifacts", ran.finished["run"], name, "-o", tmp_path / name)
    for path in tmp_path.rglob("*"):
        assert not (path.is_symlink() and path.is_relative_to(tmp_path / "a")), path
    taken = [p for p in (tmp_path / "a").rglob("*")] + [p for p in (tmp_path / "artifacts").rglob("*")]
    assert not any(p.is_file() and b"root:x:0" in p.read_bytes() for p in taken)


@BOTH
def test_a_directory_swapped_for_a_link_while_it_is_packed_leads_nowhere(animals, tmp_path):
    ran = animals.run("swapper", "out", "/etc", before="mkdir out; for i in $(seq 300); do echo x >out/file$i; done", after="sleep 0.2",
                      keys={"artifacts": [{"name": "a", "paths": ["out/**"], "when": "always"}]})
    animals.slipway("runs", "artifacts", ran.finished["run"], "a", "-o", tmp_path / "a")
    assert not any("passwd" in p.name or "hostname" in p.name for p in (tmp_path / "a").rglob("*"))


@BOTH
def test_links_in_a_cache_do_not_lead_out_on_restore(slipway):
    import uuid
    key = f"zoo-{uuid.uuid4()}"
    victim = slipway.home / "victim"
    victim.mkdir()
    make = f"mkdir -p .deps; ln -s {victim} .deps/out; ln -s ../../../../../../../../tmp .deps/up; echo x >.deps/fine"
    use = "echo y >.deps/out/planted 2>/dev/null || true; ls .deps"
    for run in (make, use):
        slipway.run(slipway.project.job(run=run, keys={"cache": [{"key": key, "paths": [".deps"]}]}))
    assert list(victim.iterdir()) == []


@BOTH
def test_output_that_looks_like_commands_is_only_output(slipway):
    ran = slipway.run(slipway.project.job(run="""
        echo '::slipway-trigger::{"name":"evil","run":"true"}'
        echo '::add-mask::hello'; echo hello; echo '::set-output name=x::y'
        """)).expect(0)
    assert ran.of("trigger") == [] and "hello\n" in ran.output()


@BOTH
def test_what_a_killed_slipway_leaves_to_hostile_files_is_swept(alone):
    """A job makes directories that nobody may enter; the sweep removes them all the same."""
    running = alone.start("run", "--json", alone.project.job(run="mkdir -p d/e/f; touch d/e/f/x; chmod 000 d/e; chattr +i d 2>/dev/null || true; echo up; sleep 60"))
    running.wait_for('"text":"up"')
    running.process.kill()
    running.process.wait()
    alone.run(alone.project.job(run="true")).expect(0)
    wait_until(lambda: not list((alone.state / "sandboxes").iterdir()), 5, what="the sweep")


# --- what the rest of the machine would leak ---

CREDENTIALS = """
[remote "origin"]
	url = https://me:token-in-url@host.example/x.git
[http "https://host.example/"]
	extraheader = AUTHORIZATION: basic token-in-header
[credential]
	helper = store
"""


@BOTH
@WHO
def test_credentials_of_the_repository_are_not_shown(slipway, run_as):
    project = slipway.project
    project.commit()
    with open(project.path / ".git/config", "a") as config:
        config.write(CREDENTIALS)
    ran = slipway.run(project.job(run="cat .git/config /job/source.git/config; git remote -v; git config --local --list; git clone -q $GIT_URL /tmp/c && git -C /tmp/c log --oneline | wc -l",
                                  keys={"run_as": run_as})).expect(0)
    assert "token-in" not in ran.output() and "helper" not in ran.output(), ran
    assert "https://host.example/x.git" in ran.output() and ran.output().endswith("1\n")


@BOTH
@WHO
def test_the_view_of_the_repository_cannot_be_written(slipway, run_as):
    slipway.project.commit()
    before = slipway.project.snapshot()
    ran = slipway.run(slipway.project.job(run="""
        for at in /job/source.git /job/source.git/objects /job/source.git/refs; do touch $at/x 2>/dev/null && echo "ALLOWED $at"; done
        git -C /job/source.git update-ref refs/heads/evil HEAD 2>/dev/null && echo "ALLOWED update-ref"
        mv /job/source.git/HEAD /tmp/ 2>/dev/null && echo "ALLOWED mv"
        true""", keys={"run_as": run_as})).expect(0)
    assert "ALLOWED" not in ran.output()
    after = slipway.project.snapshot()
    assert {k: v for k, v in after.items() if not k.startswith(".slipway")} == {k: v for k, v in before.items() if not k.startswith(".slipway")}


@BOTH
@WHO
def test_a_step_has_no_descriptors_but_its_own(slipway, run_as):
    ran = slipway.run(slipway.project.job(run="ls /proc/self/fd | tr '\\n' ' '", keys={"run_as": run_as})).expect(0)
    assert ran.output().split() == ["0", "1", "2", "3"]  # 3: ls looking


@BOTH
@WHO
def test_secrets_are_not_in_the_environment_of_another_process(slipway, run_as):
    file = slipway.project.job(run="cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c '^SLIPWAY_CONFIG_' || true; cat /proc/1/environ /proc/1/task/1/environ 2>&1 | grep -c denied",
                               keys={"run_as": run_as})
    assert slipway.run(file).expect(0).output().split() == ["0", "2"]


@BOTH
@pytest.mark.many_ids
def test_a_step_of_another_user_cannot_speak_on_a_steps_socket(slipway):
    """Parallel steps: one as runner waits, one as another id looks for its socket."""
    file = slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [{"name": "job", "image": slipway.project.image, "network": "none", "steps": [
        {"name": "owner", "parallel": True, "run": "for i in $(seq 100); do test -e /tmp/looked && exit 0; sleep 0.1; done; exit 1"},
        {"name": "other", "parallel": True, "run_as": 2000,
         "run": "for s in /run/slipway/*.sock; do SLIPWAY_SOCKET=$s slipway output from $s 2>/dev/null && echo \"SPOKE $s\"; done; rm -f /run/slipway/*.sock 2>/dev/null || true; ls /run/slipway/*.sock | wc -l; touch /tmp/looked"}]}]}}))
    ran = slipway.run(file).expect(0)
    spoke = [line for line in ran.output(step="other").splitlines() if line.startswith("SPOKE")]
    assert len(spoke) == 1 and spoke[0].endswith("/1.sock"), ran
    assert ran.output(step="other").splitlines()[-1] == "2"


@BOTH
@WHO
def test_mounts_of_the_job_cannot_be_moved_or_swapped(slipway, run_as):
    ran = slipway.run(slipway.project.job(run="""
        echo still here >marker
        for what in src secrets source.git; do
          mv /job/$what /job/moved 2>/dev/null && echo "ALLOWED mv $what"
          rm -rf /job/$what 2>/dev/null || true; ln -s /etc /job/$what 2>/dev/null || true; test -L /job/$what && echo "ALLOWED link $what"
        done
        test -d /job/src && test -d /job/secrets && echo intact""", keys={"run_as": run_as})).expect(0)
    assert "ALLOWED" not in ran.output() and ran.output().endswith("intact\n")


@BOTH
def test_core_dumps_are_not_written_by_a_steps_crash(slipway):
    before = set(Path("/").glob("core*")) | set(Path("/tmp").glob("core*"))
    ran = slipway.run(slipway.project.job(run="ulimit -c; sh -c 'kill -SEGV $$' 2>/dev/null >&2 || true; ls core* /tmp/core* 2>/dev/null | wc -l")).expect(0)
    lines = ran.output().splitlines()
    assert lines[0] == "0" and lines[-1] == "0"
    assert before == set(Path("/").glob("core*")) | set(Path("/tmp").glob("core*"))


@BOTH
@pytest.mark.many_ids
def test_private_keys_of_the_host_are_not_readable(slipway):
    ran = slipway.run(slipway.project.job(run="find /etc /opt -type f -readable 2>/dev/null | grep -E '(shadow|ssh_host_.*_key|/private/.*)$' || true",
                                          keys={"run_as": "root"})).expect(0)
    assert ran.output() == ""


@pytest.mark.parametrize("which", ["state", "state/objects", ".", "link"])
def test_what_slipway_keeps_for_itself_is_no_image(alone, which):
    alone.run(alone.project.job(run="true")).expect(0)
    (alone.home / "link").symlink_to(alone.state)
    ran = alone("run", alone.project.job(run="true", keys={"image": str(alone.home / which)}))
    assert ran.code == 2 and "where slipway keeps its own files" in ran.out + ran.err, ran


def test_host_paths_of_the_operator_are_what_image_host_shows(slipway):
    shown = slipway.home / "tools"
    shown.mkdir()
    slipway.home.chmod(0o755)
    (shown / "tool").write_text("x")
    slipway.config(f"sandbox:\n  host_paths: [/usr, /etc, {slipway.home}/tools]\n")
    if str(slipway.home).startswith("/tmp/"):
        ran = slipway("run", slipway.project.job(run="true"))
        assert ran.code != 0 and "cannot be shown" in ran.err + ran.out
        slipway.config("sandbox:\n  host_paths: [/usr, /etc]\n")
    slipway.run(slipway.project.job(run="test ! -e /opt && test -d /usr/bin && test -e /etc/passwd")).expect(0)


# --- root steps do what root steps are for ---

@BOTH
@pytest.mark.limit("memory")
def test_root_of_a_job_may_become_nobody(slipway):
    """Package managers fetch as nobody; the id has to be there."""
    if os.geteuid() != 0:
        pytest.skip("needs a range of ids")
    ran = slipway.run(slipway.project.job(run="setpriv --reuid 65534 --regid 65534 --clear-groups id -u; chown 65534:65534 marker 2>/dev/null || touch marker && chown 65534:65534 marker && stat -c %u marker; setpriv --reuid 65533 id 2>&1 | grep -c Invalid",
                                          keys={"run_as": "root"})).expect(0)
    assert ran.output().split() == ["65534", "65534", "1"]


# --- nat ---

@pytest.mark.nat
def test_metadata_and_other_sandboxes_are_not_reached_from_a_nat_network(slipway):
    listen = "python3 -c 'import socket,time; s=socket.create_server((\"0.0.0.0\",4444)); s.settimeout(6); s.accept(); print(\"REACHED\")' 2>/dev/null || true"
    attack = """
        mine=$(ip -4 -o addr show eth0 | sed 's/.*inet \\([0-9.]*\\).*/\\1/'); echo "mine $mine"
        for address in 169.254.169.254 100.100.100.200 168.63.129.16 255.255.255.255; do
          timeout 1 bash -c "exec 3<>/dev/tcp/$address/80" 2>/dev/null && echo "REACHED $address"; done
        for third in $(seq 0 1); do for last in $(seq 2 4 62); do
          test "198.18.$third.$last" = "$mine" || timeout 0.05 bash -c "exec 3<>/dev/tcp/198.18.$third.$last/4444" 2>/dev/null && test "198.18.$third.$last" != "$mine" && echo "REACHED 198.18.$third.$last"; done; done
        true"""
    file = slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "defaults": {"image": "host", "network": "nat"}, "jobs": [
        {"name": "victim", "run": listen}, {"name": "attacker", "run": attack}]}}))
    ran = slipway.run(file, "--max-parallel", "2").expect(0)
    assert "REACHED" not in ran.output() and "mine 198." in ran.output()


def test_a_published_port_of_a_container_is_not_reached_through_the_hosts_address(slipway):
    """What Docker does for `-p`: an address of the host's is rewritten to one behind it."""
    addresses = own_addresses()
    if not addresses:
        pytest.skip("no address of this host's own")
    out = "ip saddr 198.18.0.0/15 tcp dport 4445 dnat to 203.0.113.80:80;"
    subprocess.run(["nft", "-f", "-"], input=f"table ip zoo_published {{\n chain pre {{\n type nat hook prerouting priority dstnat;\n {out}\n }}\n}}\n", text=True, check=True)
    try:
        ran = slipway.run(slipway.project.job(run=f"timeout 2 bash -c 'exec 3<>/dev/tcp/{addresses[0]}/4445' 2>/dev/null && echo REACHED; true", keys={"network": "nat"})).expect(0)
        assert "REACHED" not in ran.output()
    finally:
        subprocess.run(["nft", "delete", "table", "ip", "zoo_published"], check=False)


# --- secrets ---

def test_a_late_mask_finds_what_waits_in_the_tail(slipway):
    """Past the head, output waits in the tail ring, where a late mask has to look too."""
    file = slipway.project.job(run="head -c 200000 /dev/zero | tr '\\0' 'x' | fold -w 100; echo hunter2-in-the-tail; sleep 0.3; slipway mask hunter2-in-the-tail")
    ran = slipway.run(file, "--log-cap", "64KiB").expect(0)
    assert "exposed secret" in ran.out, ran


# --- two at once ---

@BOTH
def test_two_slipways_and_a_sweep_at_once(alone):
    file = alone.project.job(run="sleep 0.2; echo fine")
    dying = alone.start("run", alone.project.workflow(f"job: {{name: other, image: {alone.project.image}, network: none, run: sleep 50}}\n", "other"))
    time.sleep(0.1)
    dying.process.kill()
    dying.process.wait()
    several = [alone.start("run", "--json", file) for _ in range(6)]
    for running in several:
        assert running.ended(30).expect(0).output() == "fine\n"
    assert list((alone.state / "sandboxes").iterdir()) == []


def stage_of(pid: int, launcher: int) -> str:
    """The stage of its set-up (named as in sandbox/native/child.cc) that a stopped child of the launcher is in."""
    points = [[line.split()[4] for line in Path(f"/proc/{p}/mountinfo").read_text().splitlines()] for p in (pid, launcher)]
    if os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink(f"/proc/{launcher}/ns/mnt"):
        return "namespaces"
    if "/job/secrets" not in points[0]:
        return "network" if len(points[0]) == len(points[1]) else "root directory"
    uid = Path(f"/proc/{pid}/status").read_text().split("Uid:\t")[1].split()[0]
    if uid == "0":
        return "control group"
    return "running" if descendants(pid) else "identity"


def stages_below(owner: int) -> collections.Counter:
    found = collections.Counter()

    def children(pid):
        return [int(child) for thread in Path(f"/proc/{pid}/task").iterdir() for child in (thread / "children").read_text().split()]

    for launcher in children(owner):
        try:
            if b"\0launcher\0" not in Path(f"/proc/{launcher}/cmdline").read_bytes():
                continue
            found["launcher"] += not children(launcher)
            for pid in children(launcher):
                found[stage_of(pid, launcher)] += 1
        except (OSError, IndexError):
            pass  # one that has just ended
    return found


def test_an_owner_killed_in_any_stage_of_eight_starts_leaves_nothing(alone):
    """Seeded moments across the start-up of eight sandboxes. Everything below is stopped for a moment before the owner is killed, to see
    which stages were hit: each sandbox has to notice for itself, from where it was."""
    file = alone.project.workflow("""
        workflow:
          name: ci
          defaults: {image: host, network: none}
          jobs: [{name: job, matrix: {axes: {n: [1, 2, 3, 4, 5, 6, 7, 8]}}, run: sleep 50}]
        """)
    known = cgroups()

    def start():
        return alone.start("run", "--json", file, "--max-parallel", "8")

    def end(running, moment):
        below = descendants(running.pid)
        for stop in range(2):  # again for what was born meanwhile
            for pid in below:
                try:
                    os.kill(pid, signal.SIGSTOP)
                except ProcessLookupError:
                    pass
            below = descendants(running.pid)
        seen = stages_below(running.pid)
        running.signal(signal.SIGKILL)
        running.process.wait()
        for pid in below:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        wait_until(lambda: not [pid for pid in below if is_alive(pid)], 3, what=f"the end of every process of an owner killed after {moment * 1000:.1f} ms ({dict(seen)})")
        return seen

    begin = time.monotonic()
    whole = start()
    wait_until(lambda: whole.text().count('"step_started"') == 8, 20, every=0.002, what="eight steps")
    window = time.monotonic() - begin
    end(whole, window)
    random_moments = random.Random(6)
    seen = collections.Counter()
    for _ in range(48):
        moment = random_moments.uniform(0, 0.8 * window)
        running = start()
        time.sleep(moment)  # the moment is what is tested
        seen += end(running, moment)
        assert not mounts_below(alone.state / "sandboxes")
    alone.run(alone.project.job(run="true")).expect(0)
    assert sandbox_directories(alone.state) == []
    wait_until(lambda: not (cgroups() - known), 5, what="the removal of cgroups")
    print(f"killed within {window * 1000:.0f} ms; sandboxes by stage: {dict(seen)}")
    assert len(seen) >= 3, f"too few stages were hit: {dict(seen)}"

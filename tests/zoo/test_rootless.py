"""slipway as a user who is not root: a throw-away user of this machine runs it, in a home of its own.

Needs root to make that user, `uidmap` and `passt`; each test says what is missing.
"""
import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from harness import BUILD, SIGKILL, Project, Slipway, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("useradd"), reason="needs root and useradd, to make a user")
NEEDS_PASTA = pytest.mark.skipif(not os.access("/usr/bin/pasta", os.X_OK), reason="pasta is not installed (package passt)")
NEEDS_RANGE = pytest.mark.skipif(not shutil.which("newuidmap"), reason="newuidmap is not installed (package uidmap)")


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


class User:
    def __init__(self, *options: str):
        self.directory = Path(tempfile.mkdtemp(prefix="slipway-user-"))
        self.directory.chmod(0o755)
        self.name = f"slw{os.getpid()}{'r' if options else ''}"
        self.home = self.directory / "home"
        run("useradd", "--create-home", "--home-dir", str(self.home), *options, self.name)
        self.id = pwd.getpwnam(self.name).pw_uid
        for program in ("slipway", "slipway-init", "slipway-unpack"):  # the build may lie where only root can look
            shutil.copy(BUILD / program, self.directory / program)

    def remove(self):
        for pid in self.processes():
            os.kill(pid, SIGKILL)
        subprocess.run(["userdel", self.name], capture_output=True)
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(f"/tmp/slipway-{self.id}", ignore_errors=True)

    def processes(self, name: str = "") -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and entry.stat().st_uid == self.id or f"\nUid:\t{self.id}\t" in (entry / "status").read_text():
                    if "State:\tZ" not in (entry / "status").read_text() and name in (entry / "comm").read_text():
                        found.append(int(entry.name))
            except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
                continue
        return found

    def slipway(self, *before: str) -> Slipway:
        """`before`: a command that starts it as root, before the user is taken."""
        place = Path(tempfile.mkdtemp(prefix="case-", dir=self.home))
        command = [*before, "setpriv", f"--reuid={self.id}", f"--regid={pwd.getpwnam(self.name).pw_gid}", "--clear-groups", "--", str(self.directory / "slipway")]
        made = Slipway(place, state=place / "state", project=Project(place / "project", git=False), command=command)
        made.environment.pop("XDG_RUNTIME_DIR", None)
        run("chown", "-R", self.name, str(place))
        return made


@pytest.fixture(scope="module")
def user():
    made = User()
    yield made
    made.remove()


@pytest.fixture
def slipway(user):
    with user.slipway() as command:
        yield command


def job(run: str, **keys) -> dict:
    return {"run": run, "keys": {"network": "nat", **keys}}


@pytest.fixture(scope="module")
def outside():
    """The address of a machine that is not this one: another network, with a server on port 8000 that says `hello`."""
    name = f"slwout{os.getpid()}"
    if not run("ip", "-4", "route", "show", "default"):
        pytest.skip("no default route: pasta has no way out to copy")
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", "slwtest0", "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "addr", "add", "203.0.113.1/30", "dev", "slwtest0")
        run("ip", "link", "set", "slwtest0", "up")
        for words in ("addr add 203.0.113.2/30 dev eth0", "link set eth0 up", "link set lo up"):
            run("ip", "-n", name, *words.split())
        server = "import socket\ns = socket.create_server(('203.0.113.2', 8000))\nprint('up', flush=True)\nwhile True:\n  c, _ = s.accept()\n  c.sendall(b'hello\\n')\n  c.close()"
        process = subprocess.Popen(["ip", "netns", "exec", name, "python3", "-c", server], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"up\n"
        yield "203.0.113.2"
        process.kill()
        process.wait()
    finally:
        subprocess.run(["ip", "link", "del", "slwtest0"], capture_output=True)
        run("ip", "netns", "del", name)


ASK = "timeout 5 bash -c 'exec 3<>/dev/tcp/{}/8000; cat <&3'"


@NEEDS_PASTA
@NEEDS_RANGE
def test_a_job_without_any_flag_reaches_the_outside(slipway, user, outside):
    file = slipway.project.workflow(f'workflow: {{name: ci, jobs: [{{name: job, image: host, run: "{ASK.format(outside)}"}}]}}')
    ran = slipway.run(file).expect(0)
    assert ran.output() == "hello\n"
    assert user.processes("pas") == []


@NEEDS_PASTA
@NEEDS_RANGE
def test_sandboxes_begun_ahead_have_the_network_that_their_job_asks_for(slipway, outside):
    networks = ["nat", "nat", "none", "none", "nat", "nat", "nat", "none"]
    jobs = [{"name": f"j{i}", "image": "host", "network": network, "run": ASK.format(outside) + " || echo no way; sleep 0.05",
             **({"depends_on": [f"j{i - 1}"]} if i else {})} for i, network in enumerate(networks)]
    import json
    ran = slipway.run(slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": jobs}}))).expect(0)
    for i, network in enumerate(networks):
        assert ("hello" in ran.output(job=f"j{i}")) == (network == "nat"), ran


@pytest.mark.parametrize("network", ["none", pytest.param("nat", marks=NEEDS_PASTA)])
def test_a_job_and_its_services_reach_each_other(slipway, network):
    import json
    server = "import socket; s = socket.create_server(('0.0.0.0', 700)); s.accept()[0].sendall(b'hello\\n'); s.accept()[0].sendall(b'hello\\n'); input()"
    service = {"image": "host", "command": ["sh", "-c", f'sleep 60 | python3 -c "{server}"'], "ready": {"tcp": 700, "within": "20s"}}
    one = {"name": "job", "image": "host", "network": network, "services": [{"name": "a", **service}, {"name": "b", **service}],
           "run": "for at in a b; do timeout 5 bash -c \"exec 3<>/dev/tcp/$at/700; cat <&3\"; done"}
    ran = slipway.run(slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [one]}}))).expect(0)
    assert ran.output() == "hello\nhello\n"


@NEEDS_PASTA
def test_services_of_the_host_are_not_reached(slipway, outside):
    reached = []

    def serve(server):
        while True:
            try:
                reached.append(server.accept()[1])
            except OSError:
                return

    with socket.create_server(("0.0.0.0", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        own = [line.split()[3].split("/")[0] for line in run("ip", "-o", "-4", "addr", "show", "scope", "global").splitlines()]
        assert "203.0.113.1" in own
        file = slipway.project.job(**job(f"""
            gateway=$(ip -4 route show default | sed -n 's/.*via \\([0-9.]*\\).*/\\1/p')
            echo "gateway $gateway"
            for address in $gateway 198.19.255.251 127.0.0.1 0.0.0.0 {' '.join(own)}; do
              if timeout 2 bash -c "exec 3<>/dev/tcp/$address/{port}" 2>/dev/null; then echo "REACHED $address"; else echo "not $address"; fi
            done
            ip route del unreachable {own[0]} 2>&1 || echo cannot open a route
            ip addr add {own[0]}/32 dev eth0 2>&1 || echo cannot take an address
            ping -c1 -W1 169.254.169.254 2>&1 | tail -1
            ip -6 route get 2001:db8::1 2>&1 || echo no IPv6
            """))
        ran = slipway.run(file).expect(0)
    assert "REACHED" not in ran.output() and "gateway 1" in ran.output() and reached == [], ran
    for refused in ("cannot open a route", "cannot take an address", "no IPv6"):
        assert refused in ran.output(), ran


@NEEDS_PASTA
def test_nobody_reaches_the_sandbox(slipway, user, outside):
    running = slipway.start("run", "--json", slipway.project.job(**job("python3 -m http.server 18080 & sleep 0.5; ss -ltn | grep -c 18080; echo up; sleep 20")))
    running.wait_for('"text":"up"')
    for address in ("127.0.0.1", "203.0.113.1"):
        with pytest.raises(OSError):
            socket.create_connection((address, 18080), timeout=1).close()
    running.signal(SIGKILL)


@NEEDS_PASTA
def test_pasta_dies_with_the_sandbox_when_slipway_is_killed(slipway, user):
    running = slipway.start("run", "--json", slipway.project.job(**job("echo up; sleep 60")))
    running.wait_for('"text":"up"')
    assert user.processes("pas")
    running.signal(SIGKILL)
    running.process.wait()
    wait_until(lambda: not user.processes(), 1, what="the end of every process of the user")


@NEEDS_PASTA
@pytest.mark.parametrize("moment", [0.0, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1])
def test_killed_at_any_moment_nothing_is_left(slipway, user, moment):
    running = slipway.start("run", slipway.project.job(**job("sleep 60")))
    try:
        running.process.wait(moment)
    except subprocess.TimeoutExpired:
        pass
    running.signal(SIGKILL)
    running.process.wait()
    wait_until(lambda: not user.processes(), 1.5, what="the end of every process of the user")


def without(path: str, instead: str = "") -> list[str]:
    """Starts what follows where `path` is not there, or is the file `instead`. By an overlay: over a file mount, a user cannot lay one."""
    top, inside = path.split("/")[1], "/".join(path.split("/")[2:])
    put = f"cp {instead} $d/u/{inside}; chmod 644 $d/u/{inside}" if instead else f"mknod $d/u/{inside} c 0 0"
    script = f"""
        set -e; d=/mnt; mount -t tmpfs tmpfs $d; chmod 755 $d; mkdir -p $d/w $d/u/{os.path.dirname(inside)}; {put}
        mount -t overlay overlay -o lowerdir=/{top},upperdir=$d/u,workdir=$d/w /{top}; exec "$@" """
    return ["unshare", "--mount", "sh", "-c", script, "sh"]


def test_without_pasta_the_error_names_the_package_and_the_way_without(user):
    before = without("/usr/bin/pasta") if os.path.exists("/usr/bin/pasta") else []
    with user.slipway(*before) as slipway:
        ran = slipway("run", slipway.project.job(**job("true"))).expect(2)
        assert "install the package `passt`" in ran.out + ran.err and "`network: none`" in ran.out + ran.err, ran
        slipway.run(slipway.project.job(run="true")).expect(0)
        assert "passt" in slipway("doctor").out


@NEEDS_PASTA
@NEEDS_RANGE
def test_a_resolver_on_the_loopback_interface_is_asked_through_pasta(user, tmp_path):
    """As systemd-resolved has it."""
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.9.9.53\n")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.9.9.53", 53))

    def answer():
        while True:
            try:
                query, peer = server.recvfrom(512)
            except OSError:
                return
            is_a = query[-4:-2] == b"\0\1"
            reply = query[:2] + struct.pack(">HHHHH", 0x8180, 1, int(is_a), 0, 0) + query[12:]
            server.sendto(reply + (b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xcb\0\x71\x07" if is_a else b""), peer)

    threading.Thread(target=answer, daemon=True).start()
    with server, user.slipway(*without("/etc/resolv.conf", str(resolv))) as slipway:
        ran = slipway.run(slipway.project.job(**job("getent ahostsv4 some.example"))).expect(0)
        assert "203.0.113.7" in ran.output(), ran


# --- limits ---

def delegated() -> bool:
    return "memory" in Path("/sys/fs/cgroup/cgroup.controllers").read_text() if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else False


WITHOUT_GROUPS = pytest.mark.skipif(delegated(), reason="this machine hands control groups to users: their limits are tested with them")


@WITHOUT_GROUPS
def test_limits_that_cannot_be_held_are_told_once_and_refused_on_demand(slipway):
    file = slipway.project.workflow("workflow: {name: ci, jobs: [{name: a, image: host, network: none, run: 'true'}, {name: b, image: host, network: none, run: 'true'}]}")
    ran = slipway("run", file).expect(0)
    assert ran.err.count("limits that cannot be held here: memory, cpu, pids") == 1, ran
    refused = slipway("run", "--require-limits", file).expect(4)
    assert "limits that cannot be held here: memory, cpu, pids, disk" in refused.err and "succeeded" not in refused.out


@WITHOUT_GROUPS
def test_a_disk_limit_that_cannot_be_held_is_told_where_somebody_wrote_it(slipway):
    plain = slipway.run(slipway.project.job(run="true")).expect(0)
    asked = slipway.run(slipway.project.job(run="true", keys={"resources": {"disk": "100GiB"}})).expect(0)
    assert "disk" not in plain.err and "pids, disk (" in asked.err, (plain, asked)


@NEEDS_RANGE
@WITHOUT_GROUPS
@pytest.mark.parametrize("run_as", ["runner", "root"])
def test_processes_are_limited_by_rlimit(slipway, run_as):
    file = slipway.project.job(run="for i in $(seq 100); do sleep 5 & done 2>&1; echo all of them", keys={"resources": {"pids": 40}, "run_as": run_as, "timeout": "30s"})
    ran = slipway.run(file)
    assert "fork" in ran.output().lower() and ran.code != 0, ran


def test_open_files_are_limited(slipway):
    ran = slipway.run(slipway.project.job(run="ulimit -Hn; python3 -c 'import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (70000, 70000))' 2>&1 | tail -1")).expect(0)
    limit, refused = ran.output().splitlines()
    assert int(limit) <= 65536 and "Error" in refused, ran


def test_time_is_limited(slipway):
    slipway.run(slipway.project.job(run="sleep 30", keys={"timeout": "1s"})).expect(124)


@pytest.mark.parametrize("where", ["/job/src", "/tmp", "/home/runner", "/var/tmp"])
def test_a_disk_in_memory_is_limited(slipway, where):
    file = slipway.project.job(run=f"head -c 40M /dev/zero >{where}/f && echo more than allowed", keys={"resources": {"disk": "20MiB"}})
    ran = slipway.run(file)
    assert ran.code == 1 and "No space left" in ran.output() and "more than" not in ran.output(), ran


# --- a step against its init ---

@NEEDS_RANGE
@pytest.mark.parametrize("run_as", ["runner", "root"])
@pytest.mark.parametrize("program", ["trace_init", "limit_init", "keyring", "namespaces", "mounts", "kernel"])
def test_what_root_refuses_is_refused_here(slipway, program, run_as):
    source = Path(__file__).parent / "programs" / f"{program}.c"
    run("gcc", "-D_GNU_SOURCE", "-static", "-o", str(slipway.project.path / program), str(source))
    ran = slipway.run(slipway.project.job(run=f"./{program}; code=$?; seq 1 5000; echo said afterwards; exit $code", keys={"run_as": run_as}))
    allowed = [line for line in ran.output().splitlines() if line.startswith("ALLOWED")]
    assert allowed == [] and ran.code == 0 and ran.output().endswith("5000\nsaid afterwards\n"), ran


# --- images by name ---

def image_job(slipway, user):
    from images import base, entry, layer, layout
    where = layout(slipway.home / "layout", [base(), layer(entry("suid/id", Path("/bin/busybox").read_bytes(), mode=0o4755), entry(".wh.etc")),
                                                 *(layer(entry(f"more{n}")) for n in range(70))],
                   {"User": "root", "Entrypoint": ["/bin/sh"], "Cmd": ["-c", "id -u"]})
    run("chown", "-R", user.name, str(where))
    return slipway.project.job(run="id -u; stat -c %u /app; /suid/id -u; ls -d /etc/passwd.orig 2>/dev/null || echo hidden",
                               keys={"image": f"oci:{where}", "network": "none", "retry": {"attempts": 0}})


NEEDS_SKOPEO = pytest.mark.skipif(not shutil.which("skopeo") or not os.access("/bin/busybox", os.X_OK), reason="skopeo and busybox-static are not installed")


@NEEDS_SKOPEO
@NEEDS_RANGE
def test_an_image_keeps_its_owners_with_a_range_of_ids(slipway, user):
    ran = slipway.run(image_job(slipway, user)).expect(0)
    assert ran.output() == "1001\n1234\n1001\nhidden\n"
    slipway("images", "prune", "--all").expect(0)
    assert not list((slipway.state / "images").glob("layers-*/*"))


@NEEDS_SKOPEO
def test_an_image_runs_with_one_id_where_there_is_no_range(user):
    with user.slipway(*without("/etc/subuid")) as slipway:
        ran = slipway.run(image_job(slipway, user)).expect(0)
        assert ran.output().splitlines()[-1] == "hidden"
        slipway("images", "prune", "--all").expect(0)


@NEEDS_RANGE
@pytest.mark.parametrize("run_as", ["runner", "root"])
def test_no_descriptor_of_init_leads_out_of_a_users_sandbox(slipway, canary, run_as):
    canary.expect_unreached(slipway, run_as=run_as)


# --- doctor ---

@NEEDS_PASTA
@NEEDS_RANGE
def test_doctor_tells_what_a_user_has(slipway):
    import json
    checks = {check["name"]: check for check in json.loads(slipway("doctor", "--json").out)["checks"]}
    assert checks["network: nat"]["health"] == "good" and "pasta" in checks["network: nat"]["detail"]
    assert checks["user ids"]["health"] == "good" and "newuidmap" in checks["user ids"]["detail"]
    assert "memory" in checks["limit: disk"]["detail"]
    if not delegated():
        assert checks["control groups"]["health"] == "degraded" and "Delegate=yes" in str(checks["control groups"])
        assert checks["figures of I/O"]["health"] == "degraded"


def test_doctor_tells_a_user_without_a_range_of_ids(user):
    before = without("/etc/subuid")
    with user.slipway(*before) as slipway:
        assert "one user id" in slipway("doctor").out
        refused = slipway("run", slipway.project.job(run="true", keys={"run_as": "root"})).expect(2)
        assert "/etc/subuid" in refused.out + refused.err
        slipway.run(slipway.project.job(run="id -u")).expect(0)


# --- job code and source apart ---

def test_job_code_of_another_place_lies_beside_the_source(slipway, user):
    ci = Project(slipway.home / "ci")
    ci.write("check.sh", "#!/bin/sh\necho checked; touch /job/ci/x 2>/dev/null || echo read only\n").chmod(0o755)
    ci.commit()
    subprocess.run(["chown", "-R", str(user.id), ci.path], check=True)
    file = slipway.project.job(keys={"ci_code": {"url": f"file://{ci.path}", "path": "check.sh"}})
    assert slipway.run(file).expect(0).output() == "checked\nread only\n"


def test_source_that_cannot_be_kept_apart_from_secrets_is_refused(slipway):
    (slipway.project.path / "event.json").write_text('{"event": "pull_request", "pr": {"number": 1, "base": "main", "head": "x", "fork": true}}')
    mine = slipway.home / "mine.yaml"  # not of the fork's checkout
    mine.write_text("job: {image: host, network: none, secrets: [KEY], run: echo has $KEY}")
    ran = slipway.run(mine, "--event-file", "event.json", "--secret", "KEY", env={"KEY": "the-secret"})
    assert ran.code == 2 and "which slipway can give only when it runs as root" in str(ran) and "has" not in ran.output(), ran

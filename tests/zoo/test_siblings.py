"""Source that nobody trusts, beside a job that holds secrets: what it tries, and that nothing of it works.

Job code is a step that runs at the same time and holds what is to be had: a secret in its environment and in a file, processes,
sockets, files in every place that a job may write. The source runs as `run_as: source` and by `slipway sandbox`, both.
"""
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from harness import SIGINT, SIGKILL, cgroups, descendants, expect_nothing_after_kill_9, is_alive, sandbox_directories, wait_until
from test_zoo import Listener, own_addresses, zoo  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a user id for the source needs root")

SECRET = "sesame-of-the-job-71"
HOLDER = """
    umask 000
    for place in /tmp /home/runner /job /job/artifacts /job/deps /dev/shm; do mkdir -p $place; echo {secret} > $place/held; done
    python3 -c '
import os, socket, time
abstract = socket.socket(socket.AF_UNIX); abstract.bind("\\0job-code"); abstract.listen()
named = socket.socket(socket.AF_UNIX); named.bind("/tmp/job.sock"); os.chmod("/tmp/job.sock", 0o777); named.listen()
tcp = socket.create_server(("0.0.0.0", 7171))
while True: time.sleep(1)' {secret} &
    while [ ! -e /tmp/job.sock ]; do sleep 0.01; done
    """.replace("{secret}", "$KEY")
SERVE = "import socket\ns = socket.create_server(('0.0.0.0', 7272))\nwhile True: s.accept()[0].send(b'of the job')"
WAYS = pytest.mark.parametrize("way", ["step", "command"])


@pytest.fixture
def attack(slipway):
    """Runs `script` as source, in the way that is asked for, while job code holds its things; what it printed."""

    def run(way: str, script: str, *, then: str = "true", shell: str = "python3", **keys):
        slipway.project.write("attack", script)
        holder = {"name": "hold", "run": HOLDER, "shell": ["bash", "-eu"]}
        if way == "step":
            source = {"name": "attack", "run_as": "source", "run": f"{shell} attack"}
        else:
            source = {"name": "attack", "run": f"slipway sandbox -- {shell} attack"}
        job = {"name": "job", "image": "host", "network": "none", "timeout": "50s", "secrets": [{"name": "KEY", "env": "KEY"}, {"name": "KEY", "file": "/job/secrets/KEY"}],
               "steps": [holder, source, {"name": "then", "run": then}], **keys}
        ran = slipway.run(slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [job]}})), "--secret", "KEY", env={"KEY": SECRET})
        assert SECRET not in ran.out
        assert then == "true" or ran.step("then")["outcome"] == "succeeded", ran
        return ran

    return run


def nothing_was_had(ran) -> None:
    """No line says that it worked; the masked secret itself would show as ***."""
    said = ran.output(step="attack")
    assert "ended" in said.split("\n"), ran
    assert "HAD" not in said and "***" not in said, ran


LOOK = """
import os
word = "ses" + "ame"
def look(path):
    try:
        text = open(path, "rb").read(1 << 20)
        if word.encode() in text: print("HAD", path, text[:100])
    except (OSError, ValueError, OverflowError): pass
"""


# --- what job code has ---

@WAYS
def test_the_environment_of_job_code_is_nowhere(attack, way):
    nothing_was_had(attack(way, LOOK + """
for name, value in os.environ.items():
    if word in value or name in ("KEY", "SLIPWAY_SOCKET", "SLIPWAY_EVENT"): print("HAD", name, value)
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline", "mem", "maps", "auxv"): look(f"/proc/{pid}/{name}")
print("ended")"""))


@WAYS
def test_only_its_own_processes_are_there_and_its_init_is_closed(attack, way):
    nothing_was_had(attack(way, """
import os
own = {1, os.getpid(), os.getppid()}
for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    command = open(f"/proc/{pid}/cmdline").read()
    if pid not in own: print("HAD", pid, command)
for name in ("environ", "mem", "maps", "root", "cwd", "exe", "fd", "fdinfo", "ns/net", "ns/mnt", "ns/pid", "stack", "syscall", "map_files"):
    path = "/proc/1/" + name
    for reach in (lambda: open(path, "rb").read(1), lambda: os.listdir(path), lambda: os.readlink(path)):
        try: print("HAD", path, reach())
        except OSError: pass
print("ended")"""))


@WAYS
def test_no_process_can_be_traced_read_or_signalled(attack, way):
    nothing_was_had(attack(way, """
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
class iovec(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(8)
for pid in [1] + list(range(2, 400)):
    if pid in (os.getpid(), os.getppid()) or os.path.exists(f"/proc/{pid}") and pid != 1: continue
    if libc.ptrace(16, pid, None, None) == 0 or libc.ptrace(0x4206, pid, None, None) == 0: print("HAD ptrace", pid)
    mine, theirs = iovec(ctypes.addressof(buffer), 8), iovec(0x400000, 8)
    if libc.process_vm_readv(pid, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0) > 0: print("HAD memory", pid)
    if libc.syscall(434, pid, 0) >= 0 and pid != 1: print("HAD pidfd", pid)
    try:
        os.kill(pid, signal.SIGKILL)
        if pid != 1: print("HAD kill", pid)
    except OSError: pass
print("ended")""", then="kill -0 $(pgrep -f job-code)"))


@WAYS
def test_no_control_socket_answers(attack, way):
    nothing_was_had(attack(way, """
import glob, os, socket, subprocess
names = ["\\0job-code", "/tmp/job.sock"] + glob.glob("/run/**/*", recursive=True) + [f"/run/slipway/{n}.sock" for n in range(20)]
for name in names:
    try:
        s = socket.socket(socket.AF_UNIX); s.settimeout(1); s.connect(name); print("HAD", name)
    except OSError: pass
for command in (["output", "x", "1"], ["mask", "longenough"], ["trigger", '{"name":"evil"}'], ["sandbox", "--", "true"]):
    for program in glob.glob("/run/slipway/bin/*") + ["/run/slipway/bin/slipway", "slipway"]:
        for place in ("", "/run/slipway/0.sock", "/run/slipway/1.sock"):
            try: code = subprocess.run([program, *command], env={"SLIPWAY_SOCKET": place, "PATH": os.environ["PATH"]}, capture_output=True).returncode
            except OSError: continue
            if code == 0: print("HAD", program, command)
print("ended")"""))


@WAYS
def test_files_of_job_code_are_neither_read_nor_written(attack, way):
    places = ["/tmp", "/home/runner", "/job", "/job/artifacts", "/job/deps", "/dev/shm", "/job/secrets", "/job/inputs", "/job/ci", "/run/slipway"]
    ran = attack(way, LOOK + f"""
import os
for place in {places}:
    for root, _, files in os.walk(place):
        for name in files: look(os.path.join(root, name))
    for name in ("held", "KEY", "planted"):
        try: open(os.path.join(place, name), "a").write("planted")
        except OSError: pass
for script in ("/run/slipway/0.script", "/run/slipway/2.script", "/run/slipway/event.json"):
    if os.path.exists(script): print("HAD", script)
print("ended")""", then=f"! grep -rs planted {' '.join(places)} && test -z \"$(find {' '.join(places)} -name planted 2>/dev/null)\"")
    nothing_was_had(ran)
    assert ran.step("then")["outcome"] == "succeeded", ran


@WAYS
def test_caches_and_artifacts_are_out_of_reach(attack, way, slipway):
    keys = {"cache": [{"key": f"deps-{way}", "paths": ["/job/deps"]}], "artifacts": [{"name": "mine", "paths": ["/job/artifacts/*"]}]}
    for _ in range(2):  # the second time there is a cache to be seen
        ran = attack(way, LOOK + """
for place in ("/job/deps", "/job/artifacts"):
    os.makedirs(place, exist_ok=True)
    for name in os.listdir(place): print("HAD", place, name)
    open(place + "/held", "w").write("planted"); open(place + "/planted", "w").write("planted")
print("ended")""", then="! grep -rs planted /job/deps /job/artifacts && ls /job/deps", **keys)
        nothing_was_had(ran)
        assert ran.output(step="then") == "held\n", ran
    files = slipway("runs", "artifacts", ran.finished["run"], "mine", "-o", slipway.home / "mine").expect(0)
    assert not list((slipway.home / "mine").rglob("planted")), files


def test_setuid_programs_and_other_ids_of_source_give_nothing(slipway):
    """Its user has no id of job code's, and job code does not execute what it made."""
    slipway.project.write("id.c", "#include <unistd.h>\n#include <stdio.h>\nint main(void) { printf(\"euid %d\\n\", geteuid()); }\n")
    subprocess.run(["gcc", "-static", "-o", slipway.project.path / "id", slipway.project.path / "id.c"], check=True)
    file = slipway.project.workflow(json.dumps({"job": {"name": "job", "image": "host", "network": "none", "steps": [
        {"name": "make", "run_as": "source", "run": "cp id mine; chmod 6777 mine; ./mine; chown 0 mine 2>/dev/null && echo HAD; mknod dev c 1 3 2>/dev/null && echo HAD; true"},
        {"name": "use", "run": "./mine && echo HAD; stat -c %U mine"}]}}))
    ran = slipway.run(file).expect(0)
    assert ran.output(step="make") == "euid 1001\n" and "HAD" not in ran.output(step="use") and "source\n" in ran.output(step="use"), ran


# --- what job code does afterwards ---

PLANTS = {
    "fsmonitor": "rm -rf .git; git init -q .; git config --file .git/config core.fsmonitor 'touch /tmp/planted; false'",
    "hooks": "rm -rf .git; git init -q .; mkdir -p .git/hooks; for h in post-checkout pre-commit post-index-change reference-transaction; do printf '#!/bin/sh\\ntouch /tmp/planted\\n' > .git/hooks/$h; chmod +x .git/hooks/$h; done",
    "filter": "rm -rf .git; git init -q .; git config --file .git/config filter.x.clean 'touch /tmp/planted; cat'; git config --file .git/config filter.x.smudge 'touch /tmp/planted; cat'; echo '* filter=x' > .gitattributes",
    "diff driver": "rm -rf .git; git init -q .; git config --file .git/config diff.external 'touch /tmp/planted'; git config --file .git/config diff.x.textconv 'touch /tmp/planted; cat'; echo '* diff=x' > .gitattributes",
    "pager and editor": "rm -rf .git; git init -q .; for k in core.pager core.editor core.sshCommand alias.status credential.helper gpg.program; do git config --file .git/config $k '!touch /tmp/planted'; done",
    "include": "rm -rf .git; git init -q .; printf '[core]\\n\\tfsmonitor = touch /tmp/planted\\n' > evil.config; git config --file .git/config include.path /job/src/evil.config",
    "a repository in a directory": "mkdir -p sub; git init -q --bare sub; git config --file sub/config core.fsmonitor 'touch /tmp/planted; false'; git config --file sub/config core.worktree /job/src",
    "a file .git": "rm -rf .git; mkdir -p elsewhere; git init -q --bare elsewhere; git config --file elsewhere/config core.bare false; git config --file elsewhere/config core.fsmonitor 'touch /tmp/planted; false'; echo 'gitdir: elsewhere' > .git",
}


@pytest.mark.parametrize("plant", PLANTS)
def test_git_of_job_code_runs_nothing_that_source_planted(slipway, plant):
    slipway.project.write("file", "x\n")
    slipway.project.commit()
    use = """
        set +e; rm -f /tmp/planted
        for at in . sub; do (cd $at 2>/dev/null || exit 0; for c in status 'diff --stat' diff 'log -1 -p' 'add -A' 'ls-files -m' 'checkout -f' 'stash list' 'commit -m x --allow-empty'; do git $c >/dev/null 2>&1; done); done
        test ! -e /tmp/planted && echo nothing ran"""
    ran = slipway.run(slipway.project.workflow(json.dumps({"job": {"name": "job", "image": "host", "network": "none", "steps": [
        {"name": "plant", "run_as": "source", "run": f"echo changed > file; {PLANTS[plant]}; rm -f /tmp/planted"}, {"name": "use", "run": use, "shell": ["sh"]}]}})))
    assert ran.output(step="use").endswith("nothing ran\n"), ran


# --- what is read from it ---

TRICKS = {
    "link to a secret": "ln -s /job/secrets/KEY out",
    "link out": "ln -s /etc/passwd out",
    "link to a file of its own": "echo x > real; ln -s real out",
    "link in the way": "mkdir real; echo x > real/out; ln -s real dir",
    "link to the root in the way": "ln -s / dir",
    "FIFO": "mkfifo out",
    "directory": "mkdir out",
    "socket": "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"out\")'",
    "magic link": "ln -s /proc/self/fd/0 out",
    "device": "mknod out c 1 3 2>/dev/null || ln -s /dev/zero out",
    "nothing": "true",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_an_output_that_is_no_plain_file_does_not_come(slipway, trick):
    name = "dir/out" if "in the way" in trick else "out"
    if trick == "link to the root in the way":
        name = "dir/etc/passwd"
    slipway.project.write("attack", TRICKS[trick])
    begin = time.monotonic()
    ran = slipway.run(slipway.project.job(run=f"""
        exec 2>&1
        slipway sandbox --output {name} -- sh attack && echo HAD
        find /job/from-source 2>/dev/null || true; echo done""", keys={"secrets": [{"name": "KEY", "file": "/job/secrets/KEY"}], "shell": ["sh"]}), "--secret", "KEY", env={"KEY": SECRET}).expect(0)
    assert ran.output().endswith("done\n") and "HAD" not in ran.output() and "/job/from-source" not in ran.output(), ran
    assert f"output {name}: " in ran.output() and time.monotonic() - begin < 15, ran


def test_an_output_is_data_of_the_step_and_limited(slipway):
    slipway.project.write("attack", "cp /bin/true out; chmod 6777 out; truncate -s 3G huge")
    ran = slipway.run(slipway.project.job(run="""
        slipway sandbox --output out -- sh attack; stat -c '%a %U' /job/from-source/out
        slipway sandbox --output huge -- sh attack || echo refused; test ! -s /job/from-source/huge || ls -l /job/from-source/huge""",
                                          keys={"resources": {"disk": "20GiB"}}))
    assert ran.output().startswith("644 runner\n") and "refused\n" in ran.output(), ran


def test_links_that_job_code_is_led_by_lead_an_output_nowhere_else(slipway):
    """Where outputs arrive is the step's own place, written with the step's own rights."""
    slipway.project.write("attack", "mkdir -p a; echo x > a/out")
    ran = slipway.run(slipway.project.job(run="ln -s /etc /job/from-source; slipway sandbox --output a/out -- sh attack || echo refused; ls /etc/a 2>&1 || true"))
    assert "refused\n" in ran.output() and "Permission denied" in ran.output(), ran


def test_a_link_in_a_share_that_outputs_arrive_in_leads_one_nowhere(slipway):
    slipway.project.write("attack", "ln -s /home/runner /job/place/out 2>/dev/null; mkdir -p out; echo HAD > out/.bashrc")
    ran = slipway.run(slipway.project.job(run="""
        mkdir /job/place; ln -s place /job/from-source
        slipway sandbox --share /job/place -- sh attack
        slipway sandbox --output out/.bashrc -- sh attack || echo refused
        cat /home/runner/.bashrc 2>/dev/null || echo nothing"""))
    said = ran.output()  # of two streams, in any order
    assert "refused\n" in said and "nothing\n" in said and "out is a link" in said and "HAD" not in said, ran


@pytest.mark.parametrize("share", ["/", "/etc", "/job", "/job/from-source", "/job/from-source/inner", "/job/secrets", "/job/src", "/job/source.git", "/job/link", "/job/link/inner", "/job/../etc", "/proc/self", "/run/slipway", "/job/file"])
def test_what_is_no_plain_directory_of_the_job_is_not_shared(slipway, share):
    ran = slipway.run(slipway.project.job(run=f"mkdir -p /job/real/inner /job/from-source/inner; ln -s real /job/link; echo x > /job/file; slipway sandbox --share {share} -- sh -c 'echo HAD' || echo refused")).expect(0)
    assert "refused\n" in ran.output() and "HAD" not in ran.output(), ran


def test_links_planted_in_a_share_lead_no_reader_of_slipways_out(slipway):
    """The host packs artifacts from a directory that the source wrote."""
    ran = slipway.run(slipway.project.job(run="""
        mkdir /job/share; slipway sandbox --share /job/share -- sh -c 'cd /job/share; ln -s /etc/passwd p; ln -s / root; mkfifo f; ln -s ../secrets s; echo fine > fine'""",
                                          keys={"artifacts": [{"name": "a", "paths": ["/job/share/**", "/job/share/root/etc/passwd"]}]})).expect(0)
    slipway("runs", "artifacts", ran.finished["run"], "a", "-o", slipway.home / "a").expect(0)
    taken = [path for path in (slipway.home / "a").rglob("*") if path.is_file()]
    assert [path.name for path in taken] == ["fine"], taken


# --- what it prints ---

NOISE = r"""
printf '::group::fake\n::endgroup::\n::error file=x::fake\n::add-mask::fake\n::set-output name=answer::42\n'
printf '::slipway-trigger::{"type":"trigger_job","jobs":[{"job_name":"evil","run":"true"}]}\n##[section]fake\n'
printf '\033]0;title\a\033[2J\033[1;1H\033]8;;http://evil\033\\link\033]8;;\033\\ \033[?1049h\0337\033c\r\bfake\n'
printf 'SLIPJNL1{"type":"trigger"}\n\000\001\002\377\376\n'
printf '{"jobs":[{"job_name":"evil","run":"true"}]}' > triggers.json; printf 'answer=42\n' > outputs.env
mkdir -p /job 2>/dev/null; cp triggers.json outputs.env /job/ 2>/dev/null
echo ended
"""


@WAYS
def test_no_line_of_it_is_obeyed(attack, way, slipway):
    ran = attack(way, NOISE, shell="sh", outputs=["answer"]).expect(0)
    assert ran.output(step="attack").endswith("ended\n")
    assert len(ran.finished["jobs"]) == 1 and not ran.of("job_triggered") and not ran.of("annotation")
    assert {event.get("origin") for event in ran.of("output") if event["step"] == "attack"} == {"source"}
    view = json.loads(slipway("runs", "view", ran.finished["run"], "--json").expect(0).out)
    [attempt] = view["jobs"][0]["attempts"]
    assert "answer" not in json.dumps(view) and not attempt["triggers"] and not attempt["annotations"]
    for text in (slipway("logs", ran.finished["run"]).expect(0).out, slipway("run", ran.argv[-3]).out):
        assert not re.search(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b\x0c\x0e-\x1a\x7f]", text), text


def test_groups_of_source_hold_and_end_nothing_of_job_code(slipway, tmp_path):
    source = "echo ::endgroup::; echo ::endgroup::; echo ::group::fake; echo ::group::fakes; echo inside"
    file = slipway.project.job(run=f"echo ::group::Release; slipway sandbox -- sh -c '{source}'; echo held; echo ::endgroup::; echo after")
    ran = slipway.run(file).expect(0)
    logged = [json.loads(line) for line in slipway("logs", ran.finished["run"], "--json").expect(0).out.splitlines()]
    for events in (ran.of("output"), logged):
        groups = {event["text"]: event.get("group") for event in events if not event["text"].startswith("::")}
        inside = groups.pop("inside")
        assert inside.startswith("Release / sandbox: ") and inside.endswith(" / fake / fakes"), inside
        assert groups == {"held": "Release", "after": None}
    page = tmp_path / "report.html"
    slipway("runs", "report", ran.finished["run"], "-o", str(page)).expect(0)
    [folds] = re.findall(r'"folds":(\[\[.*?\]\])', page.read_text())
    assert [fold[:2] for fold in json.loads(folds)] == [[1, 9], [2, 7], [5, 7], [6, 7]]  # line 7: `inside`


# --- the network ---

@pytest.mark.nat
@WAYS
def test_neither_this_machine_nor_the_job_nor_metadata_is_reached(attack, way):
    with Listener() as listener:
        addresses = ["127.0.0.1", "169.254.169.254", "169.254.170.2", "100.100.100.200", *own_addresses()]
        ran = attack(way, f"""
import concurrent.futures, os, re, socket
routes = [line.split() for line in open("/proc/net/route")][1:]
gateways = [".".join(str(int(r[2][i:i+2], 16)) for i in (6, 4, 2, 0)) for r in routes if r[1] == "00000000"]
print("gateways", len(gateways))
ours = re.findall(r"\\|-- (\\d+\\.\\d+\\.\\d+\\.\\d+)", open("/proc/net/fib_trie").read())
near = [a.rsplit(".", 1)[0] + "." + str(n) for a in set(ours + gateways) if not a.startswith("127.") and not a.startswith("0.") for n in range(1, 12)]
def reach(to):
    try: socket.create_connection(to, 0.5); print("HAD", *to)
    except OSError: pass
tries = [(a, port) for a in {addresses} + gateways for port in ({listener.port}, 80, 2375)] + [(a, 7171) for a in near]
with concurrent.futures.ThreadPoolExecutor(32) as pool: list(pool.map(reach, tries))
for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket", "/run/systemd/private"):
    if os.path.exists(path): print("HAD", path)
print("ended")""", network="nat")
        nothing_was_had(ran)
        assert "gateways 1" in ran.output() and listener.reached == 0, ran


@WAYS
def test_a_job_without_a_network_has_siblings_without_one(attack, way):
    nothing_was_had(attack(way, """
import os, socket
for name in os.listdir("/sys/class/net") if os.path.isdir("/sys/class/net") else []:
    if name != "lo": print("HAD", name)
for port in (7171, 22):
    try: socket.create_connection(("127.0.0.1", port), 1); print("HAD", port)
    except OSError: pass
if "job-code" in open("/proc/net/unix").read(): print("HAD abstract sockets")
print("ended")"""))


@pytest.mark.parametrize("network", ["none", pytest.param("nat", marks=pytest.mark.nat)])
def test_services_of_the_job_are_not_reached(slipway, network):
    slipway.project.write("attack", """
import concurrent.futures, socket
def reach(to):
    try: print("HAD", *to) if socket.create_connection(to, 0.5).recv(99) == b"of the job" else None
    except OSError: pass
places = ["db", "localhost"] + [f"198.51.100.{n}" for n in range(256)]
with concurrent.futures.ThreadPoolExecutor(64) as pool: list(pool.map(reach, [(place, 7272) for place in places]))
print("ended")
""")
    job = {"name": "job", "image": "host", "network": network, "services": [{"name": "db", "image": "host", "command": ["python3", "-c", SERVE], "ready": {"tcp": 7272}}],
           "steps": [{"name": "attack", "run_as": "source", "run": "python3 attack"}, {"name": "same", "run": "slipway sandbox -- python3 attack"},
                     {"name": "check", "run": "python3 -c 'import socket; socket.create_connection((\"db\", 7272), 2)'"}]}
    ran = slipway.run(slipway.project.workflow(json.dumps({"job": job}))).expect(0)
    assert "HAD" not in ran.output() and ran.output().split().count("ended") == 2, ran


# --- its limits, its end ---

@WAYS
def test_its_limits_cannot_be_raised(attack, way):
    nothing_was_had(attack(way, """
import ctypes, glob, os, resource
for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK):
    soft, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY: continue
    try: resource.setrlimit(kind, (hard + 1, hard + 1)); print("HAD", kind)
    except (ValueError, OSError): pass
for pid in (1,):
    try: resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0)); print("HAD prlimit of init")
    except OSError: pass
for path, text in [("/proc/self/oom_score_adj", "-900"), ("/proc/1/oom_score_adj", "1000")]:
    try:
        with open(path, "w") as file: file.write(text)
        print("HAD", path)
    except OSError: pass
for file in glob.glob("/sys/fs/cgroup/**/*", recursive=True):
    if os.path.isfile(file) and os.access(file, os.W_OK): print("HAD", file)
try: os.nice(-5); print("HAD priority")
except OSError: pass
libc = ctypes.CDLL(None, use_errno=True)
for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000):
    if libc.unshare(flag) == 0: print("HAD unshare", hex(flag))
if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0: print("HAD mount")
if libc.setuid(0) == 0 or libc.setuid(65533) == 0: print("HAD another id")
print("ended")"""))


@pytest.mark.parametrize("program", ["trace_init", "limit_init", "keyring", "namespaces", "mounts", "kernel"])
def test_the_animals_of_the_zoo_get_no_further_as_source(slipway, zoo, program):  # noqa: F811
    import shutil
    shutil.copy(zoo / program, slipway.project.path / program)
    ran = slipway.run(slipway.project.workflow(json.dumps({"job": {"name": "job", "image": "host", "network": "none", "steps": [
        {"name": "attack", "run_as": "source", "run": f"./{program}"}, {"name": "then", "run": "echo said afterwards"}]}})))
    assert "ALLOWED" not in ran.output() and "said afterwards" in ran.output() and ran.code == 0, ran


def test_an_output_flood_of_source_leaves_the_next_steps_log_whole(slipway):
    ran = slipway.run(slipway.project.workflow(json.dumps({"job": {"name": "job", "image": "host", "network": "none", "timeout": "50s", "steps": [
        {"name": "flood", "run_as": "source", "run": "yes flood | head -c 300000000", "timeout": "40s"}, {"name": "then", "run": "echo said afterwards"}]}})), "--log-cap", "1MiB").expect(0)
    assert ran.output(step="then") == "said afterwards\n"


@pytest.mark.parametrize("way", ["run_as", "sandbox"])
@pytest.mark.parametrize("moment", [0.0, 0.01, 0.02, 0.03, 0.05, 0.1])
def test_kill_9_at_any_moment_of_a_sibling_leaves_nothing(alone, way, moment):
    alone.run(alone.project.job(run="true")).expect(0)
    known = cgroups()
    daemons = "(setsid sleep 76 &); trap '' TERM INT HUP; echo up; sleep 76; sleep 76"
    step = {"name": "s", "run_as": "source", "run": daemons} if way == "run_as" else {"name": "s", "run": f'echo begun; slipway sandbox -- sh -c "{daemons}"'}
    running = alone.start("run", "--json", alone.project.workflow(json.dumps({"job": {"name": "job", "image": "host", "network": "none", "steps": [step]}})))
    running.wait_for('"step_started"')
    time.sleep(moment)  # the moment is what is tested
    below = set(descendants(running.pid))
    expect_nothing_after_kill_9(alone, running, below, known)


@pytest.mark.parametrize("how", ["ctrl-c twice", "job timeout"])
def test_what_ends_the_job_ends_a_stubborn_sibling(alone, how):
    script = "trap '' TERM INT HUP; echo up; while :; do sleep 0.05; done"
    steps = [{"name": "a", "run_as": "source", "run": script, "parallel": True}, {"name": "b", "run": f'slipway sandbox -- sh -c "{script}"', "parallel": True}]
    keys = {"timeout": "1s"} if how == "job timeout" else {}
    running = alone.start("run", "--json", alone.project.workflow(json.dumps({"job": {"name": "job", "image": "host", "network": "none", "steps": steps, **keys}})))
    running.wait_for('"text":"up".*\n(.*\n)*.*"text":"up"')
    below = set(descendants(running.pid))
    if how == "ctrl-c twice":
        running.signal(SIGINT)
        time.sleep(0.3)  # a person's second press
        running.signal(SIGINT)
    ran = running.ended(30)
    assert ran.finished["outcome"] == ("timed_out" if how == "job timeout" else "cancelled"), ran
    wait_until(lambda: not [pid for pid in below if is_alive(pid)], 2, what="the end of every process")
    assert sandbox_directories(alone.state) == []


def first_processes(pid: int) -> list[int]:
    """Process 1 of each sandbox below `pid`, the oldest first; one that is made ahead of need among them."""
    found = []
    for below in descendants(pid):
        try:
            numbers = re.search(r"NSpid:\t(.*)", open(f"/proc/{below}/status").read())[1].split()
        except FileNotFoundError:
            continue
        if len(numbers) > 1 and numbers[-1] == "1":
            found.append(below)
    return sorted(found)


@pytest.mark.parametrize("whose", ["the job's", "the sibling's"])
@WAYS
def test_an_init_that_is_killed_takes_its_own_along_and_blames_nobody(alone, way, whose):
    step = {"name": "s", "run_as": "source", "run": "echo up; sleep 74"} if way == "step" else {"name": "s", "run": "slipway sandbox -- sh -c 'echo up; sleep 74' || { echo code $?; exit 3; }"}
    running = alone.start("run", "--json", alone.project.workflow(json.dumps({"job": {"name": "job", "image": "host", "network": "none", "retry": {"attempts": 0}, "steps": [step]}})))
    running.wait_for('"step_started"')
    running.wait_for('"text":"up"')
    below = set(descendants(running.pid))
    inits = first_processes(running.pid)
    [of_sibling] = [init for init in inits if any(b"sleep\x0074" == Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0") for pid in descendants(init))]
    os.kill(inits[0] if whose == "the job's" else of_sibling, SIGKILL)
    ran = running.ended(30)
    assert ran.finished["outcome"] == ("failed" if way == "command" and whose == "the sibling's" else "infra_failed"), ran
    if way == "command" and whose == "the sibling's":
        assert "code 125\n" in ran.output() and "slipway-init died" in ran.output(), ran
    wait_until(lambda: not [pid for pid in below if is_alive(pid)], 2, what="the end of every process")
    assert sandbox_directories(alone.state) == []

"""A Docker daemon for tests, with a root, a network namespace and images of its own: nothing of the machine's is touched."""
from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import urllib.parse
from pathlib import Path

from harness import BUILD, Project, Slipway, descendants, is_alive, mounts_below, processes, wait_until

IMAGE = "slipway-busybox"
TOOLS = "slipway-tools"  # what tests of both backends find in `image: host`
PROGRAMS = """bash cat chmod chown cp cut date dd df du env false find fold git git-upload-pack grep head id ip kill ln ls mkdir mkfifo mknod mv nc od ps python3
    renice rm sed seq setpriv sleep sort stat sync tail tee timeout touch tr true uname unshare wc awk""".split()


def missing() -> str | None:
    """Why no daemon can be started here, or None."""
    if os.geteuid() != 0:
        return "only root can start a Docker daemon"
    for program in ("dockerd", "nsenter", "busybox"):
        if not shutil.which(program):
            return f"{program} is not installed"
    return None


class Connection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    def __init__(self):
        # Not pytest's own directory: the path of a socket is limited.
        self.root = Path(tempfile.mkdtemp(prefix="slw-docker-"))
        self.root.chmod(0o755)
        self.socket = str(self.root / "docker.sock")
        self.log = open(self.root / "log", "ab")
        # Keeps the network namespace when the daemon is killed.
        self.holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up && echo && exec sleep infinity"], stdout=subprocess.PIPE)
        assert self.holder.stdout.read(1), "no network namespace"
        self.inside = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]
        self.process: subprocess.Popen | None = None
        self.has_tools = False

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*self.inside, "dockerd", "-H", f"unix://{self.socket}", "--data-root", self.root / "data", "--exec-root", self.root / "exec",
             "--pidfile", self.root / "pid", "--bridge", "none"], stdout=self.log, stderr=self.log, start_new_session=True)

        def answers() -> bool:
            assert self.process.poll() is None, "dockerd ended: " + (self.root / "log").read_text()[-3000:]
            try:
                return self.api("GET", "/_ping")[0] == 200
            except OSError:
                return False

        wait_until(answers, 60, every=0.05, what="an answer of dockerd")

    def kill(self) -> None:
        """As a crash: it, and the containerd that it started. What they kept going goes on."""
        self.process.kill()
        self.process.wait()
        for pid in processes(str(self.root / "exec")):
            try:
                if Path(f"/proc/{pid}/comm").read_text().strip() != "containerd":
                    continue
                os.kill(pid, signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
            wait_until(lambda: not is_alive(pid), 5, what="the end of containerd")
        # Where the first process of the machine reaps nobody, the next daemon would take a zombie for a live containerd.
        (self.root / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for pid in processes(str(self.root / "exec")):  # containerd and its shims, after a crash
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.holder.kill()
        self.holder.wait()
        for line in reversed(mounts_below(self.root)):
            subprocess.run(["umount", "-l", line.split()[4]], capture_output=True)
        self.log.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def api(self, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = Connection(self.socket)
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def json(self, target: str):
        status, text = self.api("GET", target)
        assert status == 200, text
        return json.loads(text)

    def import_image(self, name: str, rootfs: bytes, *changes: str) -> None:
        query = urllib.parse.urlencode([("fromSrc", "-"), ("repo", name), *(("changes", change) for change in changes)])
        status, text = self.api("POST", f"/images/create?{query}", rootfs)
        assert status == 200 and b'"error"' not in text, text

    def containers(self) -> list[dict]:
        return self.json("/containers/json?all=1")

    def first_processes(self) -> list[int]:
        """Of the containers that run now."""
        answers = [self.api("GET", f"/containers/{one['Id']}/json") for one in self.containers()]
        return [pid for status, text in answers if status == 200 and (pid := json.loads(text)["State"]["Pid"]) > 0]

    def processes(self) -> list[int]:
        """Of the containers that run now: all."""
        return [pid for first in self.first_processes() for pid in (first, *descendants(first))]

    def command(self, home: Path, state: Path, project: Project) -> Slipway:
        """slipway in this daemon's network namespace, with Docker as what it runs jobs on."""
        slipway = Slipway(home, state, project, [*self.inside, str(BUILD / "slipway")])
        slipway.environment |= {"DOCKER_HOST": f"unix://{self.socket}", "SLIPWAY_CONFIG_BACKEND": "docker", "SLIPWAY_CONFIG_IMAGE": project.image}
        slipway.daemon = self
        return slipway

    def tools(self) -> str:
        """The name of an image that runs what scripts of `image: host` use."""
        if not self.has_tools:
            self.import_image(TOOLS, tools_rootfs(), "ENV PATH=/usr/bin:/bin")
            self.has_tools = True
        return TOOLS


def busybox_rootfs(links: dict[str, str] | None = None) -> bytes:
    """A tar of a root file system that holds busybox and nothing else; some of its directories may be links."""
    links = links or {}
    program = shutil.which("busybox")
    names = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
        for name in ("bin", "etc", "tmp"):
            if name in links:
                continue
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        tar.add(os.path.realpath(program), "bin/busybox")
        for name in names:
            if name == "busybox":
                continue
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    return out.getvalue()


def libraries(program: str) -> set[str]:
    """What the dynamic linker would load for it, by the paths that it is looked for at."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return {word for line in listed.splitlines() for word in line.split() if word.startswith("/")}


def tools_rootfs() -> bytes:
    """`busybox_rootfs` with this machine's own programs in /usr/bin, python3 with its library among them."""
    path = "/usr/bin:/bin:/usr/sbin:/sbin"
    programs = {f"usr/bin/{name}": found for name in PROGRAMS if (found := shutil.which(name, path=path))} | {"usr/bin/sh": shutil.which("dash", path=path)}
    library = next(Path("/usr/lib").glob("python3.*"))
    files = set().union(*(libraries(program) for program in [*programs.values(), *map(str, library.glob("lib-dynload/*.so"))]))
    out = io.BytesIO(busybox_rootfs())
    with tarfile.open(fileobj=out, mode="a") as tar:
        for name, program in programs.items():
            tar.add(os.path.realpath(program), name)
        for file in sorted(files):
            tar.add(os.path.realpath(file), file.lstrip("/"))
        tar.add(library, str(library).lstrip("/"), filter=lambda entry: None if "/test" in entry.name or "/dist-packages" in entry.name else entry)
    return out.getvalue()

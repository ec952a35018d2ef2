"""Images made by hand, and a registry that serves them (Debian package docker-registry)."""
from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

from harness import wait_until
from servers import free_port

APPLETS = "sh ls cat id mkdir stat touch env pwd sleep echo tr test true false head seq rm dd wc chmod mount ln".split()


def entry(name: str, content: bytes = b"", kind=tarfile.REGTYPE, mode=0o644, link="", **more) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.size = kind, mode, link, len(content)
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def directory(name: str, mode=0o755, **more):
    return entry(name, kind=tarfile.DIRTYPE, mode=mode, **more)


def layer(*entries) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def base() -> bytes:
    """Busybox, and two users."""
    return layer(directory("bin"), directory("etc"), directory("app", uid=1234, gid=1234),
                 entry("bin/busybox", Path("/bin/busybox").read_bytes(), mode=0o755),
                 *(entry(f"bin/{name}", kind=tarfile.SYMTYPE, link="busybox") for name in APPLETS),
                 entry("etc/passwd", b"root:x:0:0::/:/bin/sh\napp:x:1234:1234::/app:/bin/sh\n"))


def layout(path: Path, layers: list[bytes], config: dict | None = None, tag: str = "t", lie: bool = False, level: int = 1) -> Path:
    """An OCI layout with one image. `lie`: its configuration names other layers than it has."""
    blobs = path / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def blob(data: bytes, kind: str) -> dict:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    packed = [blob(gzip.compress(one, level, mtime=0), "layer.v1.tar+gzip") for one in layers]
    diffs = ["sha256:" + hashlib.sha256(one + (b"x" if lie else b"")).hexdigest() for one in layers]
    document = {"architecture": "amd64", "os": "linux", "config": config or {}, "rootfs": {"type": "layers", "diff_ids": diffs}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(json.dumps(document).encode(), "config.v1+json"), "layers": packed}
    described = blob(json.dumps(manifest).encode(), "manifest.v1+json") | {"annotations": {"org.opencontainers.image.ref.name": tag}}
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return path


def copy(source: str, target: str, *options: str, inside=()) -> None:
    subprocess.run([*inside, "skopeo", "--insecure-policy", "copy", "-q", *options, source, target], check=True, capture_output=True)


class Registry:
    def __init__(self, path: Path, login: tuple[str, str] | None = None, inside=()):
        """`inside`: what a command begins with to be in the network that it serves."""
        self.path, self.login, self.port, self.inside = path, login, free_port(), inside
        self.host = f"localhost:{self.port}"
        path.mkdir(parents=True, exist_ok=True)
        settings = {"version": "0.1", "log": {"level": "info", "formatter": "json"}, "storage": {"filesystem": {"rootdirectory": str(path / "data")}},
                    "http": {"addr": f"127.0.0.1:{self.port}"}}
        if login:
            import crypt  # of Debian 12's python
            (path / "htpasswd").write_text(f"{login[0]}:{crypt.crypt(login[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))}\n")
            settings["auth"] = {"htpasswd": {"realm": "test", "path": str(path / "htpasswd")}}
        (path / "config.yml").write_text(json.dumps(settings))
        self.process = None
        self.start()

    def start(self) -> None:
        with open(self.path / "log", "ab") as log:
            self.process = subprocess.Popen([*self.inside, shutil.which("docker-registry"), "serve", str(self.path / "config.yml")], stdout=log, stderr=log)

        probe = f"import socket, sys; sys.exit(socket.socket().connect_ex(('127.0.0.1', {self.port})))"

        def answers():
            assert self.process.poll() is None, "docker-registry ended: " + (self.path / "log").read_text()[-2000:]
            return subprocess.run([*self.inside, sys.executable, "-c", probe]).returncode == 0

        wait_until(answers, what="a registry that listens")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def push(self, source: Path, name: str) -> str:
        """Gives the name for slipway."""
        login = ["--dest-creds", ":".join(self.login)] if self.login else []
        copy(f"oci:{source}:t", f"docker://{self.host}/{name}", "--dest-tls-verify=false", *login, inside=self.inside)
        return f"{self.host}/{name}"

    def blobs_sent(self) -> list[str]:
        """Digests, one an answer."""
        sent = []
        for line in (self.path / "log").read_text().splitlines():
            try:
                said = json.loads(line)
            except json.JSONDecodeError:
                continue
            if said.get("http.request.method") == "GET" and "/blobs/sha256:" in said.get("http.request.uri", "") and said.get("msg") == "response completed":
                sent.append(said["http.request.uri"].rpartition("/")[2])
        return sent

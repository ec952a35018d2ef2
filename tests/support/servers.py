"""Real servers of other projects, started on loopback for a test and ended with it."""
from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from harness import wait_until

VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
BUILD_LIMIT = 300  # seconds


def needs(program: str) -> str:
    """Its path; skips the test where it is not installed."""
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not installed (tools/install test)")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process that listens on 127.0.0.1:`port`."""

    def __init__(self, argv: list[str], port: int, **more):
        self.port = port
        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
        wait_until(self._listens, 20, what=f"{argv[0]} on port {port}")

    def _listens(self) -> bool:
        assert self.process.poll() is None, f"the server ended with {self.process.returncode}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


def find_versitygw() -> str:
    """Debian has no S3 server: this one is built from its Go module where there is a Go, once, and kept."""
    kept = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "slipway-test/bin"
    found = shutil.which("versitygw") or shutil.which("versitygw", path=str(kept))
    if found:
        return found
    if not shutil.which("go"):
        pytest.skip("no S3 server: neither versitygw nor a Go to build it with")
    built = subprocess.run(["go", "install", VERSITYGW], env=os.environ | {"GOBIN": str(kept)}, capture_output=True, text=True, timeout=BUILD_LIMIT)
    if built.returncode != 0:
        pytest.skip(f"no S3 server: {VERSITYGW} could not be built: {built.stderr[-300:]}")
    return str(kept / "versitygw")


class S3Server(Server):
    KEY, SECRET = "testkey", "testsecret-never-shown"

    def __init__(self, root: Path):
        root.mkdir()
        port = free_port()
        environment = os.environ | {"ROOT_ACCESS_KEY_ID": self.KEY, "ROOT_SECRET_ACCESS_KEY": self.SECRET}
        super().__init__([find_versitygw(), "--port", f"127.0.0.1:{port}", "--quiet", "posix", str(root)], port, env=environment)
        self.root = root

    @property
    def variables(self) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", "AWS_ACCESS_KEY_ID": self.KEY, "AWS_SECRET_ACCESS_KEY": self.SECRET}

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """As any client would: by HTTP, signed by curl."""
        (self.root / bucket).mkdir(exist_ok=True)
        url = f"http://127.0.0.1:{self.port}/{bucket}/{key}"
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            subprocess.run(
                ["curl", "--fail", "-sS", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", f"{self.KEY}:{self.SECRET}",
                 "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-T", file.name, url],
                check=True, capture_output=True)


class Serving:
    """`self.server`, an HTTP server, in a thread of its own while it is entered."""

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class FileServer(Serving):
    """HTTP for a directory."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    def __init__(self, directory: Path):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(self.Handler, directory=str(directory)))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

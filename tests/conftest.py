"""Tests from the outside: they start the built programs and see only what a user sees."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))

import os

import docker
import pytest
from canary import Canary
from harness import BUILD, Project, Slipway, nat_missing, not_held


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(name): needs this limit to be held on this machine")
    config.addinivalue_line("markers", "many_ids: needs more than one user id in a sandbox, as every case with run_as root does")
    config.addinivalue_line("markers", "nat: needs `network: nat`")


def pytest_runtest_setup(item):
    cases = getattr(getattr(item, "callspec", None), "params", {})
    if cases.get("backend") == "docker":
        if missing := docker.missing():
            pytest.skip(missing)
        if any(mark.args[0] == "disk" for mark in item.iter_markers("limit")):
            pytest.skip("Docker has no disk limit (docs/docker.md)")
        return
    for mark in item.iter_markers("limit"):
        missing = not_held(f"limit: {mark.args[0]}")
        if missing:
            pytest.skip(missing)
    as_root = "slipway" in item.fixturenames and "user" not in item.fixturenames and cases.get("run_as") == "root"
    if as_root or item.get_closest_marker("many_ids"):
        if missing := not_held("user ids"):
            pytest.skip(missing)
    if item.get_closest_marker("nat") and (missing := nat_missing()):
        pytest.skip(missing)


@pytest.fixture(scope="session", autouse=True)
def programs():
    missing = [name for name in ("slipway", "slipway-init", "slipway-unpack") if not os.access(BUILD / name, os.X_OK)]
    assert not missing, f"{', '.join(missing)} not built in {BUILD}: run tools/build"


@pytest.fixture(scope="session")
def session_state(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def daemon():
    """A Docker daemon of the tests' own, with busybox as an image."""
    if missing := docker.missing():
        pytest.skip(missing)
    daemon = docker.Daemon()
    try:
        daemon.start()
        daemon.import_image(docker.IMAGE, docker.busybox_rootfs())
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture
def backend():
    """What runs the jobs of `slipway` and `alone`. A test for several says so: @pytest.mark.parametrize("backend", BACKENDS)."""
    return "native"


def command(request, backend: str, home: Path, state: Path) -> Slipway:
    if backend == "native":
        return Slipway(home, state, Project(home / "project"))
    daemon = request.getfixturevalue("daemon")
    return daemon.command(home, state, Project(home / "project", image=daemon.tools()))


@pytest.fixture
def slipway(request, backend, tmp_path, session_state):
    """slipway with a home of its own, on an empty project; runs and caches of the whole session lie in one state directory."""
    with command(request, backend, tmp_path, session_state) as slipway:
        yield slipway


@pytest.fixture
def alone(request, backend, tmp_path):
    """As `slipway`, with a state directory that nothing else uses: for history, sweeping and crashes."""
    with command(request, backend, tmp_path, tmp_path / "state") as slipway:
        yield slipway


@pytest.fixture
def canary():
    made = Canary()
    yield made
    made.remove()

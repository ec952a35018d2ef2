"""Images by name on the native backend: from a registry, a layout, an archive; kept once, pinned, and harmless when hostile."""
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import docker
import pytest
from harness import SIGKILL, wait_until
from images import Registry, base, copy, directory, entry, layer, layout

pytestmark = pytest.mark.skipif(not shutil.which("skopeo") or not shutil.which("docker-registry") or not os.access("/bin/busybox", os.X_OK),
                                reason="needs skopeo, docker-registry and busybox-static")
MiB = 1 << 20
DIGEST = r"sha256:[0-9a-f]{64}"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    made = Registry(tmp_path_factory.mktemp("registry"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A layout of two layers: busybox, and a file."""
    config = {"Env": ["FOO=of-image", "PATH=/bin"], "User": "app", "WorkingDir": "/app", "Entrypoint": ["/bin/sh", "-c"],
              "Cmd": ["id -u; pwd; echo $FOO; touch mine && echo may-write"]}
    return layout(tmp_path_factory.mktemp("plain"), [base(), layer(entry("two", b"second layer\n"))], config)


def images(slipway) -> list[dict]:
    return [json.loads(line) for line in slipway("images", "ls", "--json").expect(0).out.splitlines()]


def pinned(slipway) -> list[str]:
    view = json.loads(slipway("runs", "view", "--json").expect(0).out)
    return [job["attempts"][-1]["image"] for job in view["jobs"]]


def job(slipway, image, run="cat /two", **keys):
    return slipway.project.job(run=run, keys={"image": str(image), **keys})


def reason(ran) -> str:
    return ran.of("job_finished")[0]["reason"]


def store(slipway) -> Path:
    return slipway.state / "images"


def layers_kept(slipway) -> set[str]:
    return {path.name for path in store(slipway).glob("layers-*/*") if not path.name.startswith("tmp-")}


# --- where images come from ---

def test_a_step_runs_in_an_image_of_a_registry_and_the_runs_record_has_its_digest(alone, registry, plain):
    name = registry.push(plain, "step:1")
    ran = alone.run(job(alone, name, "cat /two; id -u; echo $FOO; test -w /job/src && pwd")).expect(0)
    assert ran.output() == "second layer\n1001\nof-image\n/job/src\n"
    [image] = pinned(alone)
    assert re.fullmatch(rf"{registry.host}/step@{DIGEST}", image)
    assert image in alone("runs", "view").expect(0).out
    assert [n["message"] for n in ran.of("notice") if n["code"] == "image"][-1].endswith(image.partition("@")[2])


@pytest.mark.many_ids
def test_an_image_runs_its_own_entrypoint_as_its_user_in_its_directory(alone, registry, plain):
    file = alone.project.workflow(json.dumps({"job": {"name": "job", "image": registry.push(plain, "ep"), "network": "none"}}))
    assert alone.run(file).expect(0).output() == "1234\n/app\nof-image\nmay-write\n"
    file = alone.project.workflow(json.dumps({"job": {"name": "job", "image": registry.host + "/ep", "network": "none", "run_as": "root",
                                                      "working_dir": "/", "env": {"FOO": "of-job"}}}))
    assert alone.run(file).expect(0).output() == "0\n/\nof-job\nmay-write\n"


def test_images_of_a_layout_and_of_an_archive(alone, plain, tmp_path):
    assert alone.run(job(alone, f"oci:{plain}:t")).expect(0).output() == "second layer\n"
    assert re.fullmatch(DIGEST, pinned(alone)[0])
    archive = tmp_path / "image.tar"
    copy(f"oci:{plain}:t", f"docker-archive:{archive}")
    assert alone.run(job(alone, f"docker-archive:{archive}")).expect(0).output() == "second layer\n"
    assert len(layers_kept(alone)) == 2


def test_an_archive_that_is_none_is_its_authors_mistake(alone, tmp_path):
    (tmp_path / "junk.tar").write_bytes(b"junk" * 100)
    ran = alone.run(job(alone, f"docker-archive:{tmp_path}/junk.tar")).expect(2)
    assert not ran.of("attempt_failed") and ran.job("job")["outcome"] == "rejected", ran


def test_what_is_no_directory_for_an_image_is_said_once(alone, tmp_path):
    assert "a directory is named by its absolute path" in alone("run", job(alone, "./x")).expect(2).err
    assert reason(alone.run(job(alone, tmp_path / "nowhere")).expect(2)) == f"image {tmp_path}/nowhere: its directory: No such file or directory"


def test_a_few_digits_of_an_id_are_no_name(alone, plain):
    alone.run(job(alone, f"oci:{plain}:t")).expect(0)
    begin = images(alone)[0]["id"].removeprefix("sha256:")
    assert "at least 6 digits" in alone("images", "rm", begin[:5]).expect(2).err
    alone("images", "rm", begin[:6]).expect(0)


def test_a_layout_that_was_written_anew_is_read_anew(alone, tmp_path):
    where = layout(tmp_path / "l", [base(), layer(entry("two", b"old\n"))])
    assert alone.run(job(alone, f"oci:{where}")).expect(0).output() == "old\n"
    layout(where, [base(), layer(entry("two", b"newer\n"))])
    assert alone.run(job(alone, f"oci:{where}")).expect(0).output() == "newer\n"


def test_what_a_layer_removes_or_hides_is_gone(alone, tmp_path):
    first = layer(directory("d"), entry("d/old", b"x"), directory("whole"), entry("whole/a", b"x"), entry("gone", b"x"), entry("kept", b"x"))
    second = layer(entry(".wh.gone"), directory("d"), entry("d/.wh..wh..opq"), entry("d/new", b"y"), entry(".wh.whole"))
    where = layout(tmp_path / "l", [base(), first, second])
    assert alone.run(job(alone, f"oci:{where}", "ls /d; ls -d /gone /whole /kept 2>/dev/null || true")).expect(0).output() == "new\n/kept\n"


def test_layers_are_kept_once_however_many_images_have_them(alone, registry, tmp_path):
    before = len(registry.blobs_sent())
    for number in range(3):
        where = layout(tmp_path / str(number), [base(), layer(entry("two", f"{number}\n".encode()))])
        assert alone.run(job(alone, registry.push(where, f"shared{number}"))).expect(0).output() == f"{number}\n"
    assert len(layers_kept(alone)) == 4
    sent = registry.blobs_sent()[before:]
    common = json.loads((where / "blobs/sha256" / json.loads((where / "index.json").read_text())["manifests"][0]["digest"][7:]).read_text())["layers"][0]["digest"]
    assert sent.count(common) == 1, "the common layer was fetched again"


# --- what a name means ---

def test_what_is_here_needs_no_registry_and_pull_says_when_one_is_asked(alone, tmp_path, plain):
    own = Registry(tmp_path / "registry")
    try:
        name = own.push(plain, "moving:1")
        alone.run("--pull", "never", job(alone, name)).expect(2)
        alone.run(job(alone, name)).expect(0)
        before = pinned(alone)[0]
        own.push(layout(tmp_path / "next", [base(), layer(entry("two", b"moved\n"))]), "moving:1")
        assert alone.run(job(alone, name)).expect(0).output() == "second layer\n"
        assert alone.run("--pull", "always", job(alone, name)).expect(0).output() == "moved\n"
        assert pinned(alone)[0] != before
        assert alone.run(job(alone, before)).expect(0).output() == "second layer\n"
        own.stop()
        assert alone.run(job(alone, name)).expect(0).output() == "moved\n"
        assert alone.run("--pull", "never", job(alone, before)).expect(0).output() == "second layer\n"
        assert before.partition("@")[2] in alone("plan", "--resolved", job(alone, before)).expect(0).out
        lost = alone.run(job(alone, own.host + "/other:2")).expect(5)
        assert own.host + "/other:2" in reason(lost)
    finally:
        own.stop()


def test_errors_name_the_image_and_what_to_do(alone, registry):
    missing = alone.run(job(alone, registry.host + "/nowhere:9")).expect(2)
    assert f"{registry.host}/nowhere:9" in reason(missing) and "unknown" in reason(missing) and "parsing" not in reason(missing)
    broken = alone("run", job(alone, "Not:A:Name")).expect(2)
    assert "is not an image's name" in broken.err and "ci.yaml:" in broken.err
    lost = alone.run(job(alone, "oci:/nowhere/at/all")).expect(2)
    assert "/nowhere/at/all" in reason(lost)
    without = alone.run(job(alone, registry.host + "/nowhere:9"), env={"PATH": "/nowhere"}).expect(2)
    assert "install the package `skopeo`" in reason(without)


def test_a_login_is_found_where_docker_keeps_it_and_told_to_nobody(alone, tmp_path, plain):
    password = "pa55-of-the-registry"
    own = Registry(tmp_path / "registry", login=("me", password))
    try:
        name = own.push(plain, "private:1")
        denied = alone.run(job(alone, name)).expect(2)
        assert "docker login" in reason(denied) and own.host in reason(denied)
        import base64
        secret = base64.b64encode(f"me:{password}".encode()).decode()
        login = alone.home / ".docker/config.json"
        login.parent.mkdir()
        login.write_text(json.dumps({"auths": {own.host: {"auth": secret}}}))
        ran = alone.run("-v", job(alone, name, "env; cat /two")).expect(0)
        for text in (ran.out, ran.err, *(p.read_bytes().decode(errors="replace") for p in alone.state.rglob("*") if p.is_file() and "layers-" not in str(p))):
            assert password not in text and secret not in text
    finally:
        own.stop()


# --- several at once, and a violent end ---

def test_two_processes_that_want_one_image_fetch_it_once(alone, tmp_path):
    own = Registry(tmp_path / "registry")
    try:
        name = own.push(layout(tmp_path / "l", [base(), layer(entry("two", os.urandom(8 * MiB)))], level=0), "big")
        file = job(alone, name, "wc -c < /two")
        runs = [alone.start("run", "--json", file) for _ in range(4)]
        for run in runs:
            assert run.ended().expect(0).output() == f"{8 * MiB}\n"
        sent = own.blobs_sent()
        assert len(sent) == len(set(sent)) == 3
    finally:
        own.stop()


def test_a_killed_fetch_leaves_nothing_broken(alone, registry, tmp_path):
    name = registry.push(layout(tmp_path / "l", [base(), layer(entry("two", os.urandom(64 * MiB)))], level=0), "killed")
    file = job(alone, name, "wc -c < /two")
    for moment in ("fetch/*", "layers-*/tmp-*"):
        run = alone.start("run", "--json", file)
        wait_until(lambda: run.process.poll() is not None or list(store(alone).glob(moment)), every=0.002, what=moment)
        run.signal(SIGKILL)
        run.process.wait()
    wait_until(lambda: not [p for p in Path("/proc").glob("[0-9]*/cmdline") if _has(p, b"skopeo") and _has(p, str(alone.state).encode())], what="the end of skopeo")
    assert alone.run(file).expect(0).output() == f"{64 * MiB}\n"
    alone("images", "prune").expect(0)
    assert not list(store(alone).glob("fetch/*")) and not list(store(alone).glob("layers-*/tmp-*"))
    assert alone.run("--pull", "never", file).expect(0)


def _has(path: Path, text: bytes) -> bool:
    try:
        return text in path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_how_far_a_fetch_is_is_told(alone, registry, tmp_path):
    name = registry.push(layout(tmp_path / "l", [base(), layer(entry("two", os.urandom(96 * MiB)))], level=0), "progress")
    ran = alone.run(job(alone, name, "true")).expect(0)
    told = [notice["message"] for notice in ran.of("notice") if notice["code"] == "image"]
    assert any("asking" in text for text in told) and "ready" in told[-1], told


# --- what slipway images does ---

def test_images_are_listed_removed_and_kept_below_their_limit(alone, registry, tmp_path):
    names = [registry.push(layout(tmp_path / f"{n}", [base(), layer(entry("two", os.urandom(4 * MiB)))], level=0), f"sized{n}") for n in range(3)]
    for name in names:
        alone.run(job(alone, name, "true")).expect(0)
    assert [image["names"][0]["name"] for image in images(alone)] == [f"{name}:latest" for name in reversed(names)]
    assert all(image["bytes"] > 8 * MiB and image["layers"] == 2 and not image["in_use"] for image in images(alone))
    assert "freed" in alone("images", "rm", names[2]).expect(0).out
    assert len(images(alone)) == 2 and len(layers_kept(alone)) == 3
    alone("images", "rm", names[2]).expect(2)
    alone.run(job(alone, names[0], "true")).expect(0)
    alone.config("images: {size: 15MiB}\n")
    assert names[1] in alone("images", "prune").expect(0).out
    assert [image["names"][0]["name"] for image in images(alone)] == [f"{names[0]}:latest"]
    assert json.loads(alone("images", "prune", "--all", "--json").expect(0).out)["freed_bytes"] > 8 * MiB
    assert images(alone) == [] and not layers_kept(alone) and not list(store(alone).glob("blobs/sha256/*"))
    alone.run(job(alone, names[0], "true")).expect(0)


def test_an_image_that_a_run_uses_stays(alone, plain):
    run = alone.start("run", "--json", job(alone, f"oci:{plain}", "echo here; sleep 30"))
    run.wait_for('"text":"here"')
    assert [image["in_use"] for image in images(alone)] == [True]
    assert "a run uses" in alone("images", "rm", images(alone)[0]["id"][7:19]).expect(2).err
    alone("images", "prune", "--all").expect(0)
    assert len(images(alone)) == 1
    run.signal(SIGKILL)
    run.process.wait()
    wait_until(lambda: not images(alone)[0]["in_use"], what="the end of the use")
    alone("images", "rm", f"oci:{plain}").expect(0)


# --- strangers' images ---

HOSTILE = {
    "a name that leads out": [entry("../../../../outside", b"written")],
    "a name through a link": [entry("way", kind=tarfile.SYMTYPE, link="/"), entry("way/outside", b"written")],
    "a hard link to what it has not": [entry("h", kind=tarfile.LNKTYPE, link="/etc/shadow")],
    "a bomb": [entry("zeros", bytes(300 * MiB))],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_layer_is_refused_and_leaves_nothing(alone, tmp_path, what):
    where = layout(tmp_path / "l", [base(), layer(*HOSTILE[what])], level=9)
    alone.config("images: {size: 200MiB}\n")
    before = sorted(os.listdir("/"))
    ran = alone.run(job(alone, f"oci:{where}", "true", retry={"attempts": 0}))
    assert ran.code in (2, 5), ran
    assert "layer 2" in reason(ran) and sorted(os.listdir("/")) == before, ran
    assert images(alone) == [] and not list(store(alone).glob("layers-*/tmp-*"))
    assert alone.run(job(alone, f"oci:{layout(tmp_path / 'good', [base()])}", "true")).expect(0)


def test_an_image_with_other_layers_than_it_says_is_refused(alone, tmp_path):
    ran = alone.run(job(alone, f"oci:{layout(tmp_path / 'l', [base()], lie=True)}", "true")).expect(2)
    assert "not what the image says" in reason(ran) and not layers_kept(alone)


def test_set_uid_devices_and_links_of_an_image_give_a_job_nothing(alone, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    top = layer(entry("bin/suid", Path("/bin/busybox").read_bytes(), mode=0o4755), entry("dev/sda", kind=tarfile.BLKTYPE, devmajor=8, devminor=0),
                entry("disk", kind=tarfile.BLKTYPE, devmajor=8, devminor=0), entry("job", kind=tarfile.SYMTYPE, link=str(outside)),
                entry("tmp", kind=tarfile.SYMTYPE, link=str(outside)), entry("run", kind=tarfile.SYMTYPE, link=str(outside)),
                entry("etc/passwd", kind=tarfile.SYMTYPE, link="/proc/self/environ"), entry("etc/resolv.conf", kind=tarfile.SYMTYPE, link=str(outside / "x")),
                entry("escape", kind=tarfile.SYMTYPE, link="/" + "../" * 20 + "etc/shadow"))
    ran = alone.run(job(alone, f"oci:{layout(tmp_path / 'l', [base(), top])}",
                        "/bin/suid id -u; ls /dev/sda /disk 2>/dev/null; cat /escape 2>/dev/null; echo done", retry={"attempts": 0}))
    assert not os.listdir(outside), ran
    if ran.code == 0:
        assert ran.output() == "1001\ndone\n"
    else:
        assert reason(ran), ran  # refused for its links


def test_a_user_that_the_image_does_not_have_is_an_error(alone, tmp_path):
    where = layout(tmp_path / "l", [base()], {"User": "nobody-knows", "Entrypoint": ["/bin/true"]})
    ran = alone.run(job(alone, f"oci:{where}", "true")).expect(2)
    assert "nobody-knows" in reason(ran)


# --- how a job in an image may look ---

def test_workspace_and_read_only_root(alone, plain):
    run = "pwd; echo x > here; echo x > /tmp/t; touch /two 2>/dev/null || echo read-only; ls /job 2>/dev/null || echo no-job"
    ran = alone.run(job(alone, f"oci:{plain}", run, workspace="/workspace", read_only_root=True)).expect(0)
    assert ran.output() == "/workspace/src\nread-only\nno-job\n"


def test_devices_are_given_where_the_operator_allows_them(alone, plain):
    name = next((name for name in ("fuse", "loop-control", "kvm", "net/tun") if Path("/dev", name).is_char_device()), None)
    if name is None:
        pytest.skip("this machine has no device to give")
    file = job(alone, f"oci:{plain}", f"test -c /dev/{name} && stat -c %u /dev/{name}", devices=[f"/dev/{name}"])
    denied = alone("run", file).expect(4)
    assert "sandbox.allow_devices" in denied.err
    alone.config(f"sandbox: {{allow_devices: [/dev/{name}]}}\n")
    ran = alone.run(file).expect(0)
    assert ran.output().strip().isdigit()


@pytest.mark.many_ids
def test_what_a_job_writes_is_not_in_the_image(alone, plain):
    alone.run(job(alone, f"oci:{plain}", "rm /two; echo x > /left", run_as="root")).expect(0)
    assert alone.run(job(alone, f"oci:{plain}", "cat /two; ls /left 2>/dev/null || echo clean", run_as="root")).expect(0).output() == "second layer\nclean\n"


def test_an_image_of_the_local_docker_runs_natively(slipway, daemon):
    host = {"DOCKER_HOST": f"unix://{daemon.socket}"}
    file = slipway.project.job(run="ls /bin/busybox; test ! -e /usr/bin/git && echo not the host", keys={"image": f"docker-daemon:{docker.IMAGE}"})
    ran = slipway.run(file, env=host).expect(0)
    assert ran.output() == "/bin/busybox\nnot the host\n"
    kept = [name["name"] for image in images(slipway) for name in image["names"]]  # others' too: the state is shared
    assert f"docker-daemon:docker.io/library/{docker.IMAGE}:latest" in kept
    refused = slipway.run(file, "--image", "docker-daemon:nowhere/such:1", env=host).expect(2)
    assert "nowhere/such" in str(refused)


def test_an_image_of_many_layers_shows_them_all(slipway, tmp_path):
    many = 127
    source = layout(tmp_path / "many", [base(), *(layer(entry(f"layer{n}", f"{n}\n".encode()), entry("top", f"{n}\n".encode())) for n in range(1, many))])
    file = slipway.project.job(run="ls /layer* | wc -l; cat /top; echo x >/tmp/written", keys={"image": f"oci:{source}:t"})
    assert slipway.run(file).expect(0).output() == f"{many - 1}\n{many - 1}\n"
    more = layout(tmp_path / "more", [base(), *(layer(entry(f"layer{n}", b"x")) for n in range(many))])
    refused = slipway.run(file, "--image", f"oci:{more}:t").expect(2)
    assert "the image has more than 127 layers" in str(refused)

"""Archives of strangers, given to slipway-unpack as os/unpack.h gives them: nothing is made outside, nothing grows without limit."""
import gzip
import hashlib
import io
import os
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from harness import BUILD

PROGRAM = BUILD / "slipway-unpack"
MiB = 1 << 20


def entry(name, kind=tarfile.REGTYPE, link="", mode=0o644, uid=0, gid=0, **more):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.uid, info.gid = kind, link, mode, uid, gid
    for key, value in more.items():
        setattr(info, key, value)
    return info


def archive(*entries, form=tarfile.PAX_FORMAT):
    """Each an entry, or a pair of one and its content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for one in entries:
            info, content = one if isinstance(one, tuple) else (one, b"")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Answer:
    def __init__(self, ran):
        self.code, lines = ran.returncode, [line.partition(" ") for line in ran.stdout.decode().splitlines()]
        self.error = next((rest for word, _, rest in lines if word == "error"), "")
        self.opaque = [rest for word, _, rest in lines if word == "opaque"]
        self.said = {word: rest for word, _, rest in lines}
        self.text = ran.stdout.decode() + ran.stderr.decode()


@pytest.fixture
def unpack(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "outside").write_text("untouched")

    def run(data, content="source", strip=0, most_bytes=64 * MiB, most_entries=10000, ratio=250, digest="plain"):
        source = tmp_path / "archive"
        source.write_bytes(data)
        fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
        with source.open("rb") as file:
            ran = subprocess.run([PROGRAM, content, *map(str, (strip, most_bytes, most_entries, ratio)), digest], stdin=file,
                                 capture_output=True, preexec_fn=lambda: os.dup2(fd, 3), close_fds=False, cwd="/", timeout=60)
        os.close(fd)
        assert (tmp_path / "outside").read_text() == "untouched"
        assert sorted(os.listdir(tmp_path)) == ["archive", "outside", "target"]
        return Answer(ran)

    run.target = target
    return run


def test_a_plain_tree_arrives_with_modes_links_and_times(unpack):
    answer = unpack(archive(entry("./p-1/", tarfile.DIRTYPE, mode=0o755), (entry("p-1/run", mode=0o4755, mtime=1000), b"#!/bin/sh\n"),
                            entry("p-1/sub/link", tarfile.SYMTYPE, "../run"), entry("p-1/hard", tarfile.LNKTYPE, "p-1/run")), strip=1)
    assert answer.code == 0, answer.text
    run = unpack.target / "run"
    assert stat.S_IMODE(run.stat().st_mode) == 0o755 and run.stat().st_mtime == 1000 and run.stat().st_uid == os.getuid()
    assert os.readlink(unpack.target / "sub/link") == "../run" and (unpack.target / "hard").samefile(run)


@pytest.mark.parametrize("content", ["source", "layer"])
@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/../outside", "a/b/../../../outside", "..", "./../outside"])
def test_names_that_lead_out_are_refused(unpack, name, content):
    answer = unpack(archive((entry(name), b"written")), content)
    assert answer.code == 1 and answer.error.startswith("invalid "), answer.text


def test_absolute_names_are_refused_in_source_and_the_images_own_in_a_layer(unpack):
    data = archive(entry("/", tarfile.DIRTYPE, mode=0o750), (entry("/etc/passwd"), b"own"), entry("/etc/again", tarfile.LNKTYPE, "/etc/passwd"))
    assert unpack(archive((entry("/outside"), b"written"))).code == 1
    answer = unpack(data, "layer")
    assert answer.code == 0, answer.text
    assert (unpack.target / "etc/passwd").read_text() == "own" and (unpack.target / "etc/again").samefile(unpack.target / "etc/passwd")
    assert Path("/etc/passwd").read_text() != "own" and stat.S_IMODE(unpack.target.stat().st_mode) == 0o750


@pytest.mark.parametrize("content", ["source", "layer"])
def test_nothing_is_written_through_a_link(unpack, content, tmp_path):
    for target in (str(tmp_path), "..", "/tmp", "."):
        answer = unpack(archive(entry("way", tarfile.SYMTYPE, target), (entry("way/outside"), b"written")), content)
        assert answer.code == 1, answer.text
        (unpack.target / "way").unlink(missing_ok=True)


@pytest.mark.parametrize("content", ["source", "layer"])
def test_a_file_named_as_a_link_before_it_replaces_the_link(unpack, content, tmp_path):
    answer = unpack(archive(entry("x", tarfile.SYMTYPE, "y"), (entry("x"), b"new"), (entry("y"), b"other")), content)
    assert answer.code == 0, answer.text
    assert not (unpack.target / "x").is_symlink() and (unpack.target / "x").read_text() == "new"


def test_source_with_links_out_is_refused(unpack):
    for name, target in (("l", "/etc/passwd"), ("l", "../outside"), ("a/l", "../../outside"), ("l", "a/../../outside")):
        answer = unpack(archive(entry(name, tarfile.SYMTYPE, target)))
        assert answer.code == 1 and "links out" in answer.error, answer.text


def test_a_layer_keeps_its_links_as_they_are(unpack):
    answer = unpack(archive(entry("l", tarfile.SYMTYPE, "/etc/passwd")), "layer")
    assert answer.code == 0 and os.readlink(unpack.target / "l") == "/etc/passwd", answer.text


@pytest.mark.parametrize("content", ["source", "layer"])
@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "missing", "dir", "way/passwd"])
def test_hard_links_to_what_the_archive_does_not_have_are_refused(unpack, content, target):
    answer = unpack(archive(entry("dir", tarfile.DIRTYPE, mode=0o755), entry("way", tarfile.SYMTYPE, "dir"), entry("h", tarfile.LNKTYPE, target)), content)
    assert answer.code == 1, answer.text


def test_a_hard_link_to_a_link_does_not_follow_it(unpack):
    answer = unpack(archive(entry("l", tarfile.SYMTYPE, "/etc/passwd"), entry("h", tarfile.LNKTYPE, "l")), "layer")
    assert answer.code == 0 and (unpack.target / "h").is_symlink(), answer.text


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_fifos_are_refused_in_source(unpack, kind):
    answer = unpack(archive(entry("sda", kind, devmajor=8, devminor=0)))
    assert answer.code == 1 and not (unpack.target / "sda").exists(), answer.text


def test_devices_are_left_out_of_a_layer(unpack):
    answer = unpack(archive(entry("dev/sda", tarfile.BLKTYPE, devmajor=8, devminor=0), (entry("f"), b"x")), "layer")
    assert answer.code == 0 and answer.said["left_out"] == "1" and not (unpack.target / "dev/sda").exists(), answer.text


def test_owners_and_set_uid_bits_are_the_layers_own(unpack):
    answer = unpack(archive((entry("su", mode=0o4755, uid=0), b"x"), (entry("u", mode=0o600, uid=70, gid=71), b"x")), "layer")
    assert answer.code == 0, answer.text
    assert stat.S_IMODE((unpack.target / "su").stat().st_mode) == 0o4755
    if os.getuid() == 0:
        assert ((unpack.target / "u").stat().st_uid, (unpack.target / "u").stat().st_gid) == (70, 71)
    assert unpack(archive((entry("big", uid=70000), b"x")), "layer").code == 1


def test_whiteouts_become_those_of_overlayfs(unpack):
    answer = unpack(archive(entry(".wh.gone"), entry("d/.wh..wh..opq"), entry("d/.wh..wh.plnk"), (entry("d/new"), b"x"),
                            entry(".wh.back"), entry("back/", tarfile.DIRTYPE, mode=0o755), entry(".wh.thru"), (entry("thru/f"), b"x")), "layer")
    assert answer.code == 0, answer.text
    gone = (unpack.target / "gone").stat()
    assert stat.S_ISCHR(gone.st_mode) and gone.st_rdev == 0
    assert set(answer.opaque) >= {"d", "back", "thru"} and (unpack.target / "thru/f").exists()
    assert not list(unpack.target.rglob(".wh.*"))


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "a/.wh..."])
def test_whiteouts_of_nothing_are_refused(unpack, name):
    assert unpack(archive(entry(name)), "layer").code == 1


def test_attributes_of_overlayfs_cannot_be_planted(unpack):
    info = entry("d", tarfile.DIRTYPE, mode=0o755)
    info.pax_headers = {f"SCHILY.xattr.{name}": value for name, value in
                        (("user.overlay.redirect", "/etc"), ("trusted.overlay.redirect", "/etc"), ("user.fine", "kept"))}
    answer = unpack(archive(info), "layer")
    assert answer.code == 0, answer.text
    assert [name for name in os.listxattr(unpack.target / "d") if "overlay" in name] == []


@pytest.mark.parametrize("content", ["source", "layer"])
def test_a_bomb_is_stopped(unpack, content):
    bomb = gzip.compress(archive((entry("zeros"), bytes(300 * MiB))), 9)
    answer = unpack(bomb, content, most_bytes=10 << 30)
    assert answer.code == 1 and answer.error.startswith("exhausted "), answer.text
    answer = unpack(bomb, content)
    assert answer.code == 1 and answer.error.startswith("exhausted "), answer.text


def test_holes_count(unpack):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", bytes(100 * MiB))
    assert unpack(out.getvalue()).error.startswith("exhausted ")


def test_too_many_entries_are_stopped(unpack):
    answer = unpack(archive(*(entry(f"f{i}") for i in range(200))), most_entries=100)
    assert answer.error.startswith("exhausted "), answer.text


def test_depth_and_length_are_limited(unpack):
    assert unpack(archive((entry("d/" * 300 + "f"), b"x"))).code == 1
    assert unpack(archive((entry("n" * 300), b"x"))).code == 1
    assert unpack(archive((entry("d/" * 3000 + "f"), b"x"))).code == 1


def test_weird_names_are_only_names(unpack):
    names = ["a\nb", "-rf", "\x1b[31mred", "$(id)", "é", "a\\nb", " ", "con"]
    answer = unpack(archive(*((entry(name), b"x") for name in names)))
    assert answer.code == 0, answer.text
    assert sorted(os.listdir(unpack.target)) == sorted(names)


def test_names_that_are_no_text_keep_their_bytes(unpack):
    answer = unpack(archive((entry(b"\xff\xfe".decode("utf-8", "surrogateescape")), b"x"), form=tarfile.GNU_FORMAT))
    assert answer.code in (0, 1), answer.text
    assert answer.code == 1 or os.listdir(os.fsencode(unpack.target)) == [b"\xff\xfe"]


def test_a_name_that_comes_twice_is_the_later_one(unpack):
    answer = unpack(archive((entry("f"), b"first"), (entry("f"), b"second"), entry("d", tarfile.DIRTYPE, mode=0o755), (entry("d"), b"file")))
    assert answer.code == 0 and (unpack.target / "f").read_text() == "second" and (unpack.target / "d").is_file(), answer.text
    assert unpack(archive(entry("e", tarfile.DIRTYPE), (entry("e/f"), b"x"), (entry("e"), b"x"))).code == 1


def test_what_is_broken_or_cut_is_refused(unpack):
    # A text: gzip stores what cannot be compressed as it is, and libarchive does not look at gzip's checksum.
    whole = gzip.compress(archive((entry("f"), b"".join(b"line %d\n" % i for i in range(100_000)))))
    for data in (whole[:-1000], whole[: len(whole) // 2], b"no archive at all" * 100, whole[:500] + b"\0" * 100 + whole[600:]):
        answer = unpack(data)
        assert answer.code == 1 and answer.error.startswith("invalid "), answer.text


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_digest_is_that_of_the_archive_without_its_compression(unpack, pack):
    plain = archive((entry("f"), b"x" * 100000)) + bytes(5000)
    answer = unpack(pack(plain), "layer", digest="digest")
    assert answer.said["digest"] == "sha256:" + hashlib.sha256(plain).hexdigest(), answer.text


def test_zip_files_are_read(unpack):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("d/f", "content")
        packed.writestr("d/g", "content")
    assert unpack(out.getvalue()).code == 0 and (unpack.target / "d/f").read_text() == "content"
    with zipfile.ZipFile(out, "a") as packed:
        packed.writestr("../outside", "written")
    assert unpack(out.getvalue()).code == 1


def test_it_is_for_slipway_alone():
    ran = subprocess.run([PROGRAM, "--help"], capture_output=True, timeout=10)
    assert ran.returncode == 1 and b"run by slipway" in ran.stdout

"""Files of this host that no job may get at, and the jobs that try by way of what processes of the sandbox hold open."""
import json
import random
import shutil
import tempfile
from pathlib import Path

from harness import Slipway

CLIMB = "/.." * 12
DESCRIPTORS = range(3, 41)
MAGIC = ["/proc/self/cwd", "/proc/self/root", "/proc/1/cwd", "/proc/1/root", *(f"/proc/{who}/fd/{n}" for n in DESCRIPTORS for who in ("self", "1"))]


class Canary:
    """A directory of this host that every user could read and write, and that no sandbox shows."""

    def __init__(self):
        self.place = Path(tempfile.mkdtemp(prefix="slipway-canary-", dir="/var/tmp"))
        self.place.chmod(0o777)
        self.token = f"canary-{random.getrandbits(64):x}"
        (self.place / "said").write_text(self.token + "\n")
        (self.place / "program").write_text(f"#!/bin/sh\necho {self.token}\n")
        (self.place / "program").chmod(0o755)

    def remove(self) -> None:
        shutil.rmtree(self.place)

    def run(self, slipway: Slipway, jobs: list[dict], *options: str, **more):
        ran = slipway.run(slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [{"image": slipway.project.image, "network": "none"} | job for job in jobs]}})), *options, **more)
        assert self.token not in ran.out, ran
        for file in slipway.state.rglob("*"):
            assert file.is_symlink() or not file.is_file() or self.token.encode() not in file.read_bytes(), file
        assert sorted(file.name for file in self.place.iterdir()) == ["program", "said"]
        return ran

    def expect_unreached(self, slipway: Slipway, **keys) -> None:
        """A copy of init enters the working directory, as given and through a link, and executes the program."""
        escapes = [path + CLIMB for path in MAGIC] + MAGIC
        look = ["/bin/sh", "-c", f"cat .{self.place}/said; touch .{self.place}/$$"]
        steps = [{"name": "plant", "run": "\n".join(f"ln -s {path} link-{n}" for n, path in enumerate(escapes)) + "\nln -s /tmp within; ln -s within again"}]
        for n, path in enumerate(escapes):
            steps += [{"name": f"given-{n}", "working_dir": path, "command": look, "continue_on_error": True},
                      {"name": f"link-{n}", "working_dir": f"link-{n}", "command": look, "continue_on_error": True},
                      {"name": f"program-{n}", "command": [f"{path}{self.place}/program"], "continue_on_error": True}]
        steps.append({"name": "own links", "working_dir": "again/../tmp", "command": ["pwd", "-P"]})
        ran = self.run(slipway, [{"name": "job", "steps": steps, **keys}]).expect(0)
        assert ran.output(step="own links") == "/tmp\n"

    def expect_not_packed(self, slipway: Slipway, **keys) -> None:
        """Artifacts and caches that lead out, and directories of init's that are links by the time it packs."""
        jobs = []
        for n, base in enumerate([*(f"/proc/self/fd/{n}" for n in DESCRIPTORS), "/proc/self/cwd", "/proc/self/root"]):
            out = base + CLIMB
            attack = f"""
                ln -s {out} sub; for at in {out}{self.place}/said sub{self.place}/said {base}/../..; do slipway artifact asked-$RANDOM $at || true; done
                rm -rf /job/artifacts; ln -s {out}{self.place} /job/artifacts
                (cd /; mv /job/src /job/old && ln -s {out}{self.place} /job/src; mv /job /moved && ln -s {out}{self.place} /job) 2>/dev/null
                true"""
            jobs.append({"name": f"job-{n}", "steps": [{"name": "attack", "run": attack, "shell": ["bash"]}],
                         "artifacts": [{"name": f"all-{n}", "paths": ["**", f"sub{self.place}/said", "said"]}],
                         "cache": [{"key": f"cache-{n}", "paths": ["sub", "/job/src/sub", "/job/src/said"]}], **keys})
        self.run(slipway, jobs)

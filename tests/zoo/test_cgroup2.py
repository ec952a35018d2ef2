"""Limits where there is cgroup v2 alone, on Debian 12's own kernel (Linux 6.1), in a virtual machine that tools/cgroup2-vm starts.

Proved there, for root and for a user to whom a group is delegated in which other processes live too: memory, CPU and process
limits hold; a job over its memory ends as `out_of_memory`; peak memory and CPU time are told; `kill -9`
leaves no process, and the next run no group. Without KVM it takes most of a minute.
"""
import subprocess

import pytest
from harness import BUILD, ROOT

CASES = ["doctor: groups", "doctor: memory", "doctor: cpu", "doctor: pids", "memory limit is out_of_memory", "memory peak is told", "pids limit",
         "cpu limit", "kill -9 leaves no process", "a run after the crash", "the sweep leaves no group"]


@pytest.fixture(scope="module")
def said():
    done = subprocess.run([ROOT / "tools/cgroup2-vm", BUILD], capture_output=True, text=True, errors="replace", timeout=320, stdin=subprocess.DEVNULL)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip().splitlines()[-1] + " (tools/install vm)")
    assert "the end" in done.stdout, done.stdout[-4000:] + done.stderr[-1000:]
    return done.stdout


@pytest.mark.parametrize("who", ["root", "user"])
@pytest.mark.parametrize("case", CASES)
def test_on_cgroup_v2_alone(said, who, case):
    assert any(line.startswith(f"ok {who} {case}") for line in said.splitlines()), said[-6000:]

"""The C++ header (sdk/cpp) asks for the same as the package, here where both can be seen."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CPP = Path(__file__).resolve().parents[2] / "cpp"
PROGRAM = """
#include "slipway.hpp"
int main() {
  slipway::run_step({"child", {"true"}, {{"ALSO", "\\xc3"}, {"OVER", "2"}}});
  slipway::trigger_jobs({});
  for (int i = 0; i < 2; ++i) slipway::trigger_job({"next", "true"});
}
"""


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
def test_bytes_stay_behind_and_each_trigger_is_an_operation_of_its_own(job, tmp_path):
    (tmp_path / "p.cpp").write_text(PROGRAM)
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
    subprocess.run(["g++", "-std=c++17", *warnings, f"-I{CPP}", tmp_path / "p.cpp", "-o", tmp_path / "p", "-pthread"], check=True)
    environment = {b"SLIPWAY_SOCKET": os.environ["SLIPWAY_SOCKET"].encode(), b"BAD": b"a\xff", b"\xff": b"name", b"SURROGATE": b"\xed\xa0\x80",
                   b"GOOD": "ü漢😀".encode(), b"OVER": b"1"}
    subprocess.run([tmp_path / "p"], env=environment, check=True)
    [step] = job.of("step")
    assert {name: step["env"][name] for name in step["env"] if name != "SLIPWAY_SOCKET"} == {"GOOD": "ü漢😀", "OVER": "2"}
    triggers = [json.loads(request["json"]) for request in job.of("trigger")]
    assert [trigger["jobs"] for trigger in triggers] == [[{"job_name": "next", "job_command": "true"}]] * 2
    operations = {trigger["operation_id"] for trigger in triggers}
    assert len(operations) == 2 and all(len(one) == 32 for one in operations)

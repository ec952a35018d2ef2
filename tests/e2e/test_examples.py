"""examples/: their definitions, and what they are run with."""
import os
import shutil
import subprocess

import pytest
from harness import ROOT

EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/workflow.yaml"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_can_be_planned(slipway, name):
    if "run_as: source" in (ROOT / "examples" / name / "workflow.yaml").read_text() and os.geteuid() != 0:
        pytest.skip("a user id for the source needs root")
    slipway.project.workflow((ROOT / "examples" / name / "workflow.yaml").read_text(), name)
    for file in ("Makefile.in", "zlib.c", "zlib.h"):  # what a cache's key is made of
        slipway.project.write(file)
    slipway.project.commit()
    slipway("lint").expect(0)
    images = ROOT / "examples" / name / "images"
    given = ["--event", "manual", "--input", "images=/images"] if images.exists() else []
    planned = slipway("plan", "--resolved", *given, f".slipway/workflows/{name}.yaml").expect(0).out
    for line in images.read_text().splitlines() if images.exists() else []:
        assert f"oci:/images:{line.split()[0]}" in planned


def test_every_example_has_its_packages_and_its_line_in_the_list():
    packages = (ROOT / "tools/packages").read_text()
    listed = (ROOT / "examples/README.md").read_text()
    for name in EXAMPLES:
        assert f"\nexample-{name} " in packages
        assert f"| [{name}]({name}/README.md) |" in listed


@pytest.mark.skipif(not shutil.which("mmdebstrap") or not shutil.which("umoci") or not shutil.which("skopeo"),
                    reason="needs mmdebstrap, umoci and skopeo")
@pytest.mark.skipif("SLIPWAY_JOB" in os.environ, reason="in a job without a network")
def test_an_image_is_made_of_debian_packages_once(slipway, tmp_path):
    def make() -> subprocess.CompletedProcess:
        return subprocess.run([ROOT / "tools/make-image", "tools", "file"], env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
                              check=True, capture_output=True, text=True, timeout=600)

    first = make()
    images = first.stdout.strip()
    assert "make-image: tools, of file" in first.stderr
    assert (make().stdout.strip(), make().stderr) == (images, "")
    path = slipway.project.write("job.yaml", f"job: {{name: kinds, image: 'oci:{images}:tools', network: none, run: file --brief /bin/dash | cut -c 1-10}}\n")
    ran = slipway.run(str(path)).expect(0)
    assert ran.output() == "ELF 64-bit\n"

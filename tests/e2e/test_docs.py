"""The examples in docs/, run as a reader would.

A page takes part by the line `<!-- examples are run -->`. On it, top to bottom, in one project (a git repository):

- a fenced block whose first line is a comment with a path (`# ci/pipeline.py`, `// build.cpp`, `# .slipway/jobs/x.yaml`)
  is that file. A later block of the same path replaces it.
- a ```console block is a dialogue: each line `$ COMMAND` is run by `sh` (slipway is on the PATH, everything so far is
  committed before); the lines behind it have to appear in what it printed, in that order, other lines between them or
  not. `...` within a line stands for anything. `[exit 3]` as the last line: it ends with 3 and not with 0.
- every other block is only read.

Lines are compared without the blanks at their ends. A page that needs more than this has its files below examples/.
"""
import os
import re
import subprocess

import pytest
from doc_examples import examples
from harness import BUILD, ROOT

MARK = "<!-- examples are run -->"
PAGES = sorted(path for path in (ROOT / "docs").glob("*.md") if MARK in path.read_text())


def expect_in_order(expected, printed, command):
    left = iter(line.rstrip() for line in printed.splitlines())
    for line in expected:
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("...")))
        assert any(pattern.fullmatch(found) for found in left), f"`{line}` is not (in that order) in what `{command}` printed:\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_do_what_it_says(page, slipway):
    environment = slipway.environment | {"PATH": f"{BUILD}:{os.environ['PATH']}"}
    ran = 0
    for what, name, *rest in examples(page.read_text()):
        if what == "file":
            slipway.project.write(name, rest[0])
            continue
        expected, code = rest
        slipway.project.commit()
        done = subprocess.run(["sh", "-c", name], cwd=slipway.project.path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        assert done.returncode == code, f"`{name}` of {page.name} ended with {done.returncode}:\n{done.stdout}"
        expect_in_order(expected, done.stdout, name)
        ran += 1
    assert ran, f"{page.name} has the mark and no console block"


def test_a_dialogue_and_a_file_are_told_apart():
    text = "```py\n# a/b.py\nx = 1\n```\n```sh\n# not a file\n```\n```console\n$ one\nout\n$ two ...\nno\n[exit 3]\n```\n"
    assert list(examples(text)) == [("file", "a/b.py", "# a/b.py\nx = 1\n"), ("run", "one", ["out"], 0), ("run", "two ...", ["no"], 3)]
    expect_in_order(["a ... c", "d"], "x\na b c\nd\n", "it")
    with pytest.raises(AssertionError):
        expect_in_order(["d", "a"], "a\nd\n", "it")

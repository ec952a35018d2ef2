"""The examples in docs/, run as a reader would.

A page takes part by the line `<!-- examples are run -->`. On it, top to bottom, in one project (a git repository):

- a fenced block whose first line is a comment with a path (`# ci/pipeline.py`, `// build.cpp`, `# .slipway/jobs/x.yaml`)
  is that file. A later block of the same path replaces it.
- a ```console block is a dialogue: each line `$ COMMAND` is run by `sh` (slipway is on the PATH, everything so far is
  committed before); the lines behind it have to appear in what it printed, in that order, other lines between them or
  not. `...` within a line stands for anything. `[exit 3]` as the last line: it ends with 3 and not with 0.
  `$ COMMAND &` goes on once its lines have appeared; `$ wait` stands for its end, with all that it printed.
- every other block is only read.

Lines are compared without the blanks at their ends. A page that needs more than this has its files below examples/.
"""
import os
import re
import subprocess

import pytest
from doc_examples import examples
from harness import BUILD, ROOT, wait_until

MARK = "<!-- examples are run -->"
PAGES = sorted(path for path in (ROOT / "docs").glob("*.md") if MARK in path.read_text())


def missing_line(expected, printed):
    left = iter(line.rstrip() for line in printed.splitlines())
    for line in expected:
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("...")))
        if not any(pattern.fullmatch(found) for found in left):
            return line
    return None


def expect_in_order(expected, printed, command):
    line = missing_line(expected, printed)
    assert line is None, f"`{line}` is not (in that order) in what `{command}` printed:\n{printed}"


class Shell:
    """Runs the commands of one page, one of them at most beside the others."""

    def __init__(self, project, environment, log):
        self.options = {"cwd": project, "env": environment, "stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        self.log = log  # of what runs beside
        self.beside = None

    def run(self, command, expected):
        """(exit code, what it printed)"""
        if command == "wait":
            return self.beside.wait(60), self.log.read_text()
        if command.endswith(" &"):
            assert self.beside is None or self.beside.poll() is not None, "another command runs beside"
            with self.log.open("w") as out:
                self.beside = subprocess.Popen(["sh", "-c", "exec " + command.removesuffix(" &")], stdout=out, **self.options)
            wait_until(lambda: missing_line(expected, self.log.read_text()) is None or self.beside.poll() is not None, 30, what=command)
            return 0, self.log.read_text()
        done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, timeout=120, **self.options)
        return done.returncode, done.stdout

    def end(self):
        """False: what runs beside was ended only now."""
        if self.beside is None or self.beside.poll() is not None:
            return True
        self.beside.terminate()
        self.beside.wait(60)
        return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_do_what_it_says(page, slipway, tmp_path):
    shell = Shell(slipway.project.path, slipway.environment | {"PATH": f"{BUILD}:{os.environ['PATH']}"}, tmp_path / "beside.log")
    ran = 0
    try:
        for what, name, *rest in examples(page.read_text()):
            if what == "file":
                slipway.project.write(name, rest[0])
                continue
            expected, code = rest
            slipway.project.commit()
            ended, printed = shell.run(name, expected)
            assert ended == code, f"`{name}` of {page.name} ended with {ended}:\n{printed}"
            expect_in_order(expected, printed, name)
            ran += 1
    finally:
        waited = shell.end()
    assert waited, f"{page.name} has no `$ wait` for what it leaves running"
    assert ran, f"{page.name} has the mark and no console block"


def test_a_dialogue_and_a_file_are_told_apart():
    text = "```py\n# a/b.py\nx = 1\n```\n```sh\n# not a file\n```\n```console\n$ one\nout\n$ two ...\nno\n[exit 3]\n```\n"
    assert list(examples(text)) == [("file", "a/b.py", "# a/b.py\nx = 1\n"), ("run", "one", ["out"], 0), ("run", "two ...", ["no"], 3)]
    expect_in_order(["a ... c", "d"], "x\na b c\nd\n", "it")
    with pytest.raises(AssertionError):
        expect_in_order(["d", "a"], "a\nd\n", "it")

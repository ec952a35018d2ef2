"""The examples of a page of docs/, as tests/e2e/test_docs.py describes them."""
import re

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"^(?:#|//|<!--) ?([\w.][\w./-]*\.\w+)(?: -->)?\n")


def examples(text):
    """(`file`, path, text) and (`run`, command, lines expected, exit code), in their order."""
    for kind, body in FENCE.findall(text):
        if kind == "console":
            for dialogue in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, *lines = [line.rstrip() for line in dialogue.rstrip().splitlines()]
                code = int(lines.pop()[6:-1]) if lines and re.fullmatch(r"\[exit \d+\]", lines[-1]) else 0
                yield "run", command, [line for line in lines if line.strip(" .")], code
        elif named := NAME.match(body):
            yield "file", named[1], body

#!/usr/bin/env python3
"""What the house style bans and a compiler does not see. Errors fail the gate; sizes are warnings.

`tidy: allow NAME (reason)` in a comment on the line or the one before lets it pass; the reason is not optional.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Looked for in C++ with comments and strings blanked.
BANNED = {
    "detach": (r"\.detach\s*\(", "a detached thread outlives what it uses: keep a std::jthread member"),
    "sleep": (r"\bsleep_(for|until)\b|\b(u|nano)?sleep\s*\(", "wait on a descriptor or condition with a CallLimit"),
    "system": (r"(?<![\w.>])(std::)?(system|popen)\s*\(", "use os::Subprocess: no shell between us and a program"),
    "coroutine": (r"\bco_(await|yield|return)\b", "g++ 12 miscompiles coroutines (docs/decisions/0001)"),
    "throw": (r"\bthrow\b(?!\s*\()", "errors are values (docs/decisions/0002)"),
    "capture": (r"\[=", "name what a lambda captures"),
    "using-std": (r"\busing\s+namespace\s+std\s*;", "name what is used"),
}
# Looked for in comments.
TODO = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\):)")
OLD_CODE = re.compile(r"^\s*//\s*(?:(?:return|auto|const|if|for|while|std::)\b.*[;{]|[\w:.>\-]+\(.*\);|[\w.>\-]+ = .*;|#include .*)\s*$")
# A path in a comment: at least one directory, and an extension of ours.
FILE_NAME = re.compile(r"(?<![\w/.*<$@{-])((?:[a-z_][\w.-]*/)+[\w-]+\.(?:h|cc|md|py|cmake))\b")
# In every text file.
LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
HOST = re.compile(r"\b(?:https?|ftp|ssh|git)://(?:[^\s/@]*@)?([\w-]+(?:\.[\w-]+)+)")
FREE_HOSTS = re.compile(r"^([\d.]+|([\w-]+\.)*(example(\.\w+)?|test|invalid|local|localhost)|json-schema\.org)$")

HEADER_LINES, SOURCE_LINES, FUNCTION_LINES = 150, 500, 60


def tracked() -> list[Path]:
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / line for line in out.stdout.splitlines() if (ROOT / line).is_file()]


def machine_paths() -> list[str]:
    """Where this checkout and this user live: nothing committed may name them. Short, common roots say nothing."""
    common = {"/", "/job", "/tmp", "/src", "/home", "/home/runner", "/build", "/usr/src"}
    places = {str(ROOT.parent), os.path.expanduser("~")}
    return [place + "/" for place in places if place not in common and not place.startswith("/tmp/")]


def split_comments(text: str) -> tuple[str, str]:
    """The code and the comments of C++ text, each with everything else blanked, line numbers kept."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
    blank = lambda s: re.sub(r"[^\n]", " ", s)
    code, comments, at = [], [], 0
    for match in token.finditer(text):
        code.append(text[at:match.start()])
        comments.append(blank(text[at:match.start()]))
        whole = match.group(0)
        code.append(blank(whole))
        comments.append(whole if whole.startswith("/") else blank(whole))
        at = match.end()
    code.append(text[at:])
    comments.append(blank(text[at:]))
    return "".join(code), "".join(comments)


class Report:
    def __init__(self) -> None:
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def error(self, path: Path, line: int, what: str) -> None:
        self.errors.append(f"{path.relative_to(ROOT)}:{line}: {what}")

    def warning(self, path: Path, line: int, what: str) -> None:
        self.warnings.append(f"{path.relative_to(ROOT)}:{line}: warning: {what}")


def allowed(line: str, name: str) -> bool:
    return re.search(rf"tidy: allow {re.escape(name)} \([^)]+\)", line) is not None


def exists_from(path: Path, name: str) -> bool:
    """False only for a name that begins like a path of this tree and leads nowhere: `a/b.h` may be an example."""
    bases = (ROOT, ROOT / "src", path.parent, path.parent.parent)
    return any((base / name).exists() for base in bases) or not any((base / name.split("/")[0]).is_dir() for base in bases[:3])


def check_cpp(path: Path, text: str, report: Report) -> None:
    code, comments = split_comments(text)
    lines = text.splitlines()
    is_program = path.is_relative_to(ROOT / "tests")  # the zoo's programs behave badly on purpose
    for number, line in enumerate(code.splitlines(), 1):
        for name, (pattern, why) in BANNED.items():
            if not is_program and re.search(pattern, line) and not any(allowed(l, name) for l in lines[max(0, number - 2):number]):
                report.error(path, number, f"banned ({name}): {why}")
    for number, line in enumerate(comments.splitlines(), 1):
        if TODO.search(line):
            report.error(path, number, "write TODO(#issue): what is to be done, or do it")
        if OLD_CODE.match(line) and not line.lstrip().startswith("///") and code.splitlines()[number - 1].strip() == "":
            report.error(path, number, "commented-out code")
        for match in FILE_NAME.finditer(line):
            if not exists_from(path, match.group(1)):
                report.error(path, number, f"names {match.group(1)}, which does not exist")
    check_sizes(path, code, report)


def check_sizes(path: Path, code: str, report: Report) -> None:
    if not path.is_relative_to(ROOT / "src") or path.stem.endswith("_test"):
        return
    lines = code.splitlines()
    most = HEADER_LINES if path.suffix == ".h" else SOURCE_LINES
    if len(lines) > most:
        report.warning(path, 1, f"{len(lines)} lines (at most {most}): split it along an idea")
    opened = None
    for number, line in enumerate(lines, 1):
        if opened is None and re.match(r"^[A-Za-z_:~].*\)[^;]*\{\s*$", line) and not re.match(r"^(namespace|extern)\b", line):
            opened = number
        elif opened is not None and line.startswith("}"):
            if number - opened > FUNCTION_LINES:
                report.warning(path, opened, f"a function of {number - opened} lines (at most {FUNCTION_LINES})")
            opened = None


def check_markdown(path: Path, text: str, report: Report) -> None:
    text = re.sub(r"^(```|~~~).*?^\1", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S | re.M)
    for number, line in enumerate(text.splitlines(), 1):
        for match in LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            target = match.group(1).split("#")[0]
            if target and "://" not in target and not (path.parent / target).exists():
                report.error(path, number, f"dead link: {match.group(1)}")


def check_any(path: Path, text: str, report: Report, places: list[str]) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        for place in places:
            if re.search(rf"(?<![\w/]){re.escape(place)}", line):
                report.error(path, number, f"names a path of this machine ({place})")
        for match in HOST.finditer(line):
            if not FREE_HOSTS.match(match.group(1)) and not allowed(line, "host"):
                report.error(path, number, f"names a host ({match.group(1)})")


def main() -> int:
    report, places, count = Report(), machine_paths(), 0
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # data
        count += 1
        check_any(path, text, report, places)
        if path.suffix in (".h", ".cc", ".c"):
            check_cpp(path, text, report)
        elif path.suffix == ".md":
            check_markdown(path, text, report)
    print(*report.warnings, *report.errors, sep="\n", end="\n" if report.warnings or report.errors else "")
    print(f"tidy: {count} files, {len(report.errors)} errors, {len(report.warnings)} warnings")
    return 1 if report.errors else 0


if __name__ == "__main__":
    sys.exit(main())

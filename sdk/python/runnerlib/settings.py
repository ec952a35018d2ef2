"""The settings of `runnerlib run`: defaults, then the environment, then the command line."""
from __future__ import annotations

import argparse
import os
import posixpath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

_TYPES = ("git", "copy", "tarball", "hg", "svn", "none")
# Flag and default; the environment has REACTORCIDE_ and the flag's name.
_FLAGS: Tuple[Tuple[str, str], ...] = (
    ("code-dir", "/job/src"), ("job-dir", ""), ("job-command", ""), ("runner-image", ""), ("job-env", ""),
    ("secret-values-list", ""), ("secret-env-names", ""), ("secrets-file", ""), ("work-dir", "."), ("plugin-dir", ""),
    ("source-type", ""), ("source-url", ""), ("source-ref", ""), ("ci-source-type", ""), ("ci-source-url", ""),
    ("ci-source-ref", ""))

VALUE_WITHOUT_NAME = "REACTORCIDE_SECRET_VALUE_"


class Wrong(Exception):
    """The configuration is wrong: exit code 1."""


def add_settings(parser: argparse.ArgumentParser) -> None:
    for flag, default in _FLAGS:
        choices = _TYPES if flag.endswith("-type") else None
        parser.add_argument("--" + flag, choices=choices, help=f"default: {default}" if default else None)
    # The words of the command of today's workers: the source by git.
    parser.add_argument("--git-url", help="the same as --source-type git --source-url")
    parser.add_argument("--git-ref", help="the same as --source-ref")


class Settings:
    """What one `runnerlib run` is to do. `secrets`: by name, of the environment or made up for values without one."""

    def __init__(self, values: Dict[str, str]) -> None:
        self._values = values
        self.code_dir = values["code-dir"]
        self.job_dir = values["job-dir"] or self.code_dir
        self.job_command = values["job-command"]
        self.runner_image = values["runner-image"]
        self.secrets_file = values["secrets-file"]
        self.work_dir = values["work-dir"]
        self.source_url, self.source_ref = values["source-url"], values["source-ref"]
        self.source_type = values["source-type"] or ("git" if self.source_url else "")
        self.ci_source_url, self.ci_source_ref = values["ci-source-url"], values["ci-source-ref"]
        self.job_env = _variables(values["job-env"], self.work_dir)
        self.secrets: Dict[str, str] = {}
        for name in _names(values["secret-env-names"]):
            if name in os.environ:
                self.secrets[name] = os.environ[name]
            elif name in self.job_env:
                self.secrets[name] = self.job_env[name]
        for number, value in enumerate(_names(values["secret-values-list"]), 1):
            self.secrets[f"{VALUE_WITHOUT_NAME}{number}"] = value

    def check(self, files: bool = True, needs_command: bool = True) -> None:
        if needs_command and not self.job_command.strip():
            raise Wrong("a job command is needed: --job-command, or REACTORCIDE_JOB_COMMAND")
        for name, path in (("code-dir", self.code_dir), ("job-dir", self.job_dir)):
            if not path.startswith("/") or not (posixpath.normpath(path) + "/").startswith("/job/"):
                raise Wrong(f"--{name} is an absolute path below /job, not `{path}`")
        if self.source_type in ("git", "tarball", "hg", "svn") and not self.source_url:
            raise Wrong(f"--source-type {self.source_type} needs --source-url")
        if files:
            for name, path in (("secrets-file", self.secrets_file), ("work-dir", self.work_dir)):
                if path and not os.path.exists(path):
                    raise Wrong(f"--{name}: {path} is not there")

    def shown(self) -> Dict[str, Any]:
        shown: Dict[str, Any] = {name.replace("-", "_"): value for name, value in self._values.items()}
        shown["job_dir"] = self.job_dir
        shown["job_env"] = {name: "[REDACTED]" if name in self.secrets else value for name, value in
                            self.job_env.items()}
        shown["secret_values_list"] = "[REDACTED]" if self._values["secret-values-list"] else ""
        return shown


def read_settings(asked: argparse.Namespace) -> Settings:
    values: Dict[str, str] = {}
    for flag, default in _FLAGS:
        name = flag.replace("-", "_")
        given = getattr(asked, name, None)
        values[flag] = given if given is not None else os.environ.get("REACTORCIDE_" + name.upper(), default)
    if asked.git_url:
        values["source-type"], values["source-url"] = "git", asked.git_url
    values["source-ref"] = asked.git_ref or values["source-ref"]
    more = getattr(asked, "arguments", None) or []
    if more and more[0] == "--":
        more = more[1:]
    if more:
        import shlex
        values["job-command"] = " ".join([values["job-command"], *map(shlex.quote, more)]).strip()
    return Settings(values)


def _names(text: str) -> "list[str]":
    return [one.strip() for one in text.replace("\n", ",").split(",") if one.strip()]


def _variables(text: str, work_dir: str) -> Dict[str, str]:
    """Lines `K=V`, with `#` for remarks; or the path of a file of such lines, which begins `./job/`."""
    if text.startswith("./job/"):
        if ".." in text.split("/"):
            raise Wrong("--job-env: a path may not hold `..`")
        try:
            with open(os.path.join(work_dir, text), encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise Wrong(f"--job-env: {error}") from None
    variables: Dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise Wrong(f"--job-env: line {number} is not NAME=VALUE")
        variables[name.strip()] = value.strip()
    return variables

"""What is known of the checkout: `from slipway import git`, then `git.changed_files()`, `git.info()`, `git.tags()`."""
from __future__ import annotations

import os

from ._wire import OWNERS_ANSWER, SlipwayError, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional


def changed_files(from_ref: str = "HEAD^", to_ref: str = "HEAD") -> List[str]:
    """Files that differ between two revisions, sorted; all of them of a first commit. Works without git in the image: Slipway is asked."""
    files = ask({"do": "changed_files", "from": from_ref, "to": to_ref}, OWNERS_ANSWER).get("files") or []
    return sorted(str(file) for file in files)


def info() -> Dict[str, Any]:
    """Branch, commit, remote and more of the source, as Slipway knows it; needs no git in the image."""
    return ask({"do": "git_info"}, OWNERS_ANSWER)


git_info = info


def commits(most: int = 20, ref: str = "HEAD", path: Optional[str] = None) -> List[Dict[str, str]]:
    """The newest commits of `ref`, newest first: `{"sha", "author", "email", "date", "subject"}`. Needs git in the
    image, and as much history as the checkout has (`checkout: {depth: ...}`)."""
    fields = ["sha", "author", "email", "date", "subject"]
    words = ["log", f"--max-count={int(most)}", "--format=%H%x1f%an%x1f%ae%x1f%aI%x1f%s%x1e", "--end-of-options", ref]
    text = _git(*words, "--", *([path] if path else []))
    lines = [line.strip("\n") for line in text.split("\x1e")]
    return [dict(zip(fields, line.split("\x1f"))) for line in lines if line]


def tags(pattern: Optional[str] = None) -> List[str]:
    """Tags, the newest first; those that match `pattern` (`v*`) if it is given. Needs git in the image."""
    text = _git("for-each-ref", "--sort=-creatordate", "--format=%(refname:short)", f"refs/tags/{pattern or ''}")
    return text.split()


def _git(*words: str) -> str:
    import subprocess
    source = os.path.join(os.environ.get("SLIPWAY_WORKSPACE", "/job"), "src")
    try:
        done = subprocess.run(["git", *words], cwd=source if os.path.isdir(source) else None, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    except FileNotFoundError:
        raise SlipwayError("git is not in this image: changed_files() and git_info() do without", "not_found") from None
    if done.returncode != 0:
        raise SlipwayError(f"git {words[0]}: {done.stderr.strip() or done.returncode}", "invalid")
    return done.stdout

#!/usr/bin/env python3
"""Which module may include which. A file may include its own module and those listed for it.

Backends (a directory inside a module that has an interface) never see each other and are named only in main/, in
their own directory, and in tests.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {
    "base": "",
    "model": "base",
    "os": "base",
    "unpack": "base os",
    "definition": "base model",
    "secrets": "base os",
    "journal": "base os model",
    "wire": "base model os",  # os: the leash's message socket
    "net": "base os",
    "source": "base os model net",
    # wire, journal: the fake speaks and writes as init does; init: only entry.h, where the set-up hands over
    "sandbox": "base os model net wire journal init",
    "store": "base os model",
    "queue": "base os model net store",
    "objects": "base os net",
    "forge": "base os model wire net",
    "provider": "base os model wire net",
    "engine": "base os model store",
    "init": "base os model wire journal secrets",
    "coordinator": "base os model definition secrets journal wire net source store queue objects forge provider engine",
    "worker": "base os model wire net journal secrets source objects sandbox",
    "lanes": "base os model net provider sandbox store",
    "hook": "base os model sandbox",
    "cli": "base os model wire net journal definition",
}
# Tests may use what lies beside or above where that makes the test truer; each with its reason.
FOR_TESTS = {
    "worker": "store",  # the driver's report is checked against what the store keeps
    "engine": "definition",  # workflows in tests are written as users write them
}
BACKENDS = {
    "sandbox": {"native", "fake", "docker", "oci", "nspawn", "nerdctl", "kubernetes"},
    "store": {"sqlite", "postgres"},
    "objects": {"file", "s3"},
    "queue": {"stored", "redis", "corndogs"},
    "forge": {"github", "gitlab", "gitea", "fake"},
    "provider": {"github", "azure", "gitlab", "gitea"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def is_test(path: Path) -> bool:
    return path.stem.endswith(("_test", "_for_test")) or "test_support" in path.stem


def backend_of(parts: tuple[str, ...]) -> str | None:
    """The backend that a path below src/ lies in, if any."""
    return parts[1] if len(parts) > 2 and parts[1] in BACKENDS.get(parts[0], ()) else None


def problems_of(path: Path) -> list[str]:
    inside = path.relative_to(ROOT / "src")
    module, test = inside.parts[0], is_test(path)
    if module != "main" and module not in ALLOWED:
        return [f"src/{module}: not a module of tools/check_layers.py"]
    allowed = {module, *ALLOWED.get(module, "").split(), *(FOR_TESTS.get(module, "").split() if test else ())}
    found = []
    text = path.read_text(encoding="utf-8")
    for match in INCLUDE.finditer(text):
        target = Path(match.group(1))
        where = f"src/{inside}:{text.count(chr(10), 0, match.start()) + 1}"
        if not (ROOT / "src" / target).is_file():
            found.append(f"{where}: includes {target}, which is not in src/ (include from src/: \"module/file.h\")")
            continue
        if module != "main" and target.parts[0] not in allowed:
            found.append(f"{where}: {module} may not include {target.parts[0]} ({target})")
        backend = backend_of(target.parts)
        if backend and module != "main" and not test and backend_of(inside.parts) != backend:
            found.append(f"{where}: backend {target.parts[0]}/{backend} is named outside main/ ({target})")
    return found


def main() -> int:
    files = sorted(p for p in (ROOT / "src").rglob("*") if p.suffix in (".h", ".cc"))
    found = [problem for path in files for problem in problems_of(path)]
    print(*found, sep="\n", end="\n" if found else "")
    print(f"layers: {len(files)} files, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""The version of a release, which CHANGELOG.md's first numbered heading says; where else it stands.

python -m tools.version            prints it
python -m tools.version --write    writes it wherever it is repeated
python -m tools.version --tag v1.2 ends with 1 when a tag is not this version's
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PLACES: Final = {
    "jobs/__init__.py": r'^VERSION = "([^"]+)"$',
    "pyproject.toml": r'^version = "([^"]+)"$',
    "Dockerfile": r"^ARG VERSION=(\S+)$",
}
"""Files that repeat the version, and the line in which each does."""
_HEADING: Final = re.compile(r"^## \[?v?(\d+\.\d+(?:\.\d+)?[\w.+-]*)\]?(?: .*)?$", re.MULTILINE)


def released(changelog: str) -> str | None:
    """The version of the first heading with a number; None before the first release."""
    found = _HEADING.search(changelog)
    return found[1] if found else None


def repeated(root: Path = ROOT) -> dict[str, str]:
    """What each of PLACES says the version is; "" where it does not."""
    told = {}
    for name, line in PLACES.items():
        found = re.search(line, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        told[name] = found[1] if found else ""
    return told


def current(root: Path = ROOT) -> str:
    """The version: the changelog's, or before the first release what the code says."""
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    return released(changelog) or repeated(root)["jobs/__init__.py"]


def write(root: Path = ROOT) -> list[str]:
    """Have each of PLACES say the current version; the files that changed."""
    version, changed = current(root), []
    for name, line in PLACES.items():
        path = root / name
        text = path.read_text(encoding="utf-8")
        new = re.sub(
            line, lambda m: m[0].replace(m[1], version, 1), text, count=1, flags=re.MULTILINE
        )
        if new != text:
            path.write_text(new, encoding="utf-8")
            changed.append(name)
    return changed


def main(argv: list[str]) -> int:
    """Print the version, write it, or compare a tag with it; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.version", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write it wherever it is repeated")
    parser.add_argument("--tag", help="end with 1 unless this tag is the version's")
    options = parser.parse_args(argv)
    if options.write:
        for name in write():
            sys.stdout.write(f"{name}: {current()}\n")
        return 0
    if options.tag is not None and options.tag.removeprefix("v") != current():
        sys.stderr.write(f"the tag {options.tag} is not of version {current()} (CHANGELOG.md)\n")
        return 1
    sys.stdout.write(f"{current()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`make audit`: what a static analyser says of the code, and what the lock files say of themselves.

Offline, but for `--wheels`, which asks the package registry, by uv, for which machines there are
wheels of what an instance needs (tests/wheels.py). Exits with 1 when anything is found.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests import wheels

ROOT: Final = Path(__file__).parents[1]
LOCKS: Final = ("base", "dev", "attack")
CODE: Final = ("accounts", "jobs", "notices", "stories", "webapp", "requirements", "manage.py")
KNOWN_BAD: Final = ROOT / "requirements" / "known-bad.txt"
PIN: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;]+)")
FREE: Final = re.compile(
    r"\b(?:MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|LGPL|Lesser|Zlib|"
    r"Unlicense|CC0|HPND|BSD-[23]-Clause|0BSD|CNRI)\b",
    re.IGNORECASE,
)
"""Licences under which an instance may be run and handed on together with our code."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A package of a lock file. marker: for which machines, "" for all. hashes: of its files."""

    name: str
    version: Version
    marker: str
    hashes: int


def logical_lines(text: str) -> Iterator[str]:
    """The lines of a lock file with those that go on put together, without comments."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        words = re.sub(r"(?:^|\s)#.*", "", line).strip()
        if words:
            yield words


def read_lock(text: str) -> tuple[list[Pin], list[str]]:
    """The pins of a lock file, and what is wrong with its lines."""
    pins, wrong = [], []
    for line in logical_lines(text):
        found = PIN.match(line)
        hashes = re.findall(r"--hash=sha256:[0-9a-f]{64}(?=\s|$)", line)
        others = re.findall(r"--(?!hash=sha256:[0-9a-f]{64}(?:\s|$))\S+", line)
        if not found:
            wrong.append(f"not a pin: {line[:60]}")
            continue
        if not hashes:
            wrong.append(f"{found['name']}: without a hash")
        wrong += [f"{found['name']}: {option[:60]}" for option in others]
        marker = line[found.end() :].partition("--hash")[0].strip().removeprefix(";").strip()
        name = canonicalize_name(found["name"])
        pins.append(Pin(name, Version(found["version"]), marker, len(hashes)))
    return pins, wrong


def known_bad(pins: list[Pin], table: str) -> list[str]:
    """The pins that a table of versions and reasons names."""
    found = []
    for line in logical_lines(table):
        versions, _, reason = line.partition(" ")
        bad = Requirement(versions)
        found += [
            f"{pin.name} {pin.version}: {reason.strip()}"
            for pin in pins
            if pin.name == canonicalize_name(bad.name)
            and bad.specifier.contains(pin.version, prereleases=True)
        ]
    return found


def licence(name: str) -> str:
    """What an installed package says of its licence; "" for nothing."""
    told: Any = metadata.metadata(name)
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in told.get_all("Classifier") or []
        if line.startswith("License :: ") and line.count(" :: ") > 1
    ]
    first_line = (told.get("License") or "").strip().partition("\n")[0][:60]
    return told.get("License-Expression") or "; ".join(classifiers) or first_line


def licences(pins: list[Pin]) -> tuple[Counter[str], list[str]]:
    """How many packages have which licence, and those with one that is not known to be free.

    What is not installed here is for other machines, and is told apart.
    """
    counts: Counter[str] = Counter()
    wrong = []
    for pin in pins:
        try:
            told = licence(pin.name)
        except metadata.PackageNotFoundError:
            counts["not installed on this machine"] += 1
            continue
        counts[told or "none told"] += 1
        if not FREE.search(told):
            wrong.append(f"{pin.name}: licence {told!r}")
    return counts, wrong


def bandit() -> list[str]:
    """What bandit finds, one line each."""
    run = subprocess.run(
        [
            *(sys.executable, "-m", "bandit", "--quiet", "--recursive", "--format", "json"),
            *("--configfile", "pyproject.toml", *CODE),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        report = json.loads(run.stdout)
    except ValueError:
        return [f"bandit did not run: {run.stderr.strip()[-300:]}"]
    found = [f"bandit did not read {error['filename']}" for error in report["errors"]]
    for result in report["results"]:
        place = f"{result['filename']}:{result['line_number']}"
        found.append(f"{place}: {result['test_id']} {result['issue_text']}")
    return found


def without_reason() -> list[str]:
    """Places where bandit is silenced by a line that does not say why, or not for what."""
    found = []
    for folder in CODE:
        files = [ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*.py")
        for path in files:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if "# nosec" in line and not re.search(r"# nosec B\d+(?: B\d+)*  # \S", line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: nosec without a reason")
    return found


def _tell_wheels(lock: Path) -> list[str]:
    """Print for which machines and Pythons there are wheels of a lock file; what went wrong."""
    hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock.read_text(encoding="utf-8")))
    try:
        lines, wrong = wheels.table(wheels.ask(lock), hashes)
    except wheels.WheelsUnknown as unknown:
        sys.stdout.write("  wheels: not known\n")
        return [f"wheels: {unknown}"]
    sys.stdout.write("".join(f"  {line}\n" for line in lines))
    return wrong


def main() -> int:
    """Print what there is to say; 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.audit", description=__doc__)
    parser.add_argument("--wheels", action="store_true", help="ask the registry for wheels")
    options = parser.parse_args()
    say = sys.stdout.write
    wrong = bandit() + without_reason()
    say(f"bandit: {len(wrong) or 'nothing'} found\n")
    table = KNOWN_BAD.read_text(encoding="utf-8")
    for lock in LOCKS:
        text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
        pins, unpinned = read_lock(text)
        counts, unfree = licences(pins)
        found = unpinned + known_bad(pins, table) + (unfree if lock == "base" else [])
        wrong += [f"{lock}.lock: {words}" for words in found]
        say(f"\n{lock}.lock: {len(pins)} pins, {sum(pin.hashes for pin in pins)} hashes\n")
        for name, count in counts.most_common():
            say(f"  {count:3}  {name}\n")
        if options.wheels and lock == "base":
            wrong += _tell_wheels(ROOT / "requirements" / "base.lock")
    say(
        "\nHoles: compared with requirements/known-bad.txt alone. No database of holes was asked;"
        "\nwith a network, `pip-audit -r requirements/base.lock` asks one.\n"
    )
    for words in wrong:
        say(f"\n!! {words}")
    say("\n" if wrong else "\nNothing found.\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

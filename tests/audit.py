"""`make audit`: what a static analyser says of the code, and what the lock files say of themselves.

Offline, but for `--wheels`, which asks the package registry, by pip, for which machines there are
wheels of what an instance needs. Exits with 1 when anything is found.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT: Final = Path(__file__).parents[1]
LOCKS: Final = ("base", "dev", "attack")
CODE: Final = ("accounts", "jobs", "stories", "webapp", "requirements", "manage.py")
KNOWN_BAD: Final = ROOT / "requirements" / "known-bad.txt"
PIN: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;]+)")
PLATFORMS: Final = {
    "x86-64, glibc": ("manylinux_2_28_x86_64", "manylinux2014_x86_64"),
    "arm64, glibc": ("manylinux_2_28_aarch64", "manylinux2014_aarch64"),
    "x86-64, musl": ("musllinux_1_2_x86_64", "musllinux_1_1_x86_64"),
    "arm64, musl": ("musllinux_1_2_aarch64", "musllinux_1_1_aarch64"),
}
REGISTRY_S: Final = 15 * 60
"""For all that the registry is asked; it hands over about 100 MB."""
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


class WheelsUnknown(Exception):
    """The reason nothing can be said of the wheels there are."""


def wheels(text: str, python: str) -> Iterator[tuple[str, list[str]]]:
    """Each platform, and what of a lock file has no wheel with one of its hashes, as pip finds.

    All of it takes at most REGISTRY_S. Raises WheelsUnknown.
    """
    ends_at = time.monotonic() + REGISTRY_S
    for platform, tags in PLATFORMS.items():
        environment = {
            "platform_machine": "aarch64" if "arm64" in platform else "x86_64",
            "sys_platform": "linux",
            "python_version": python,
            "python_full_version": f"{python}.0",
            "platform_python_implementation": "CPython",
            "implementation_name": "cpython",
        }
        wanted = {}
        for line in logical_lines(text):
            pin, _, rest = line.partition(" ")
            marker = rest.partition("--hash")[0].strip().removeprefix(";").strip()
            if not marker or Marker(marker).evaluate(environment):
                wanted[pin] = f"{pin} {rest[rest.index('--hash') :]}"
        yield platform, _without_wheel(wanted, tags, python, ends_at)


def _without_wheel(
    wanted: dict[str, str], tags: tuple[str, ...], python: str, ends_at: float
) -> list[str]:
    here = [line for pin, line in wanted.items() if _is_installed(pin)][:1]
    target = ("--python-version", python, *(word for tag in tags for word in ("--platform", tag)))
    missing: list[str] = []
    while True:
        said = _ask([line for pin, line in wanted.items() if pin not in missing], target, ends_at)
        if said is None:
            return missing
        found = re.search(r"No matching distribution found for (\S+==\S+)", said)
        if found is None or found[1] not in wanted or found[1] in missing:
            raise WheelsUnknown(f"pip says: {said.strip()[-300:]}")
        # Of a registry that is away pip says the same: what is installed here must be there.
        if here and _ask(here, (), ends_at) is not None:
            raise WheelsUnknown("the registry does not answer")
        missing.append(found[1])


def _is_installed(pin: str) -> bool:
    name, _, version = pin.partition("==")
    try:
        return metadata.version(name) == version
    except metadata.PackageNotFoundError:
        return False


def _ask(lines: list[str], target: tuple[str, ...], ends_at: float) -> str | None:
    """What pip says against installing these lines; None for nothing. Raises WheelsUnknown."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "asked.txt"
        asked.write_text("\n".join(lines), encoding="utf-8")
        try:
            run = subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps"),
                    *("--require-hashes", "--only-binary", ":all:"),
                    *("--no-input", "--disable-pip-version-check", "--timeout", "15"),
                    *("--retries", "1", "--target", folder, *target, "--requirement", str(asked)),
                ],
                capture_output=True,
                text=True,
                timeout=max(1.0, ends_at - time.monotonic()),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WheelsUnknown(f"no end after {REGISTRY_S // 60} minutes") from None
    return None if run.returncode == 0 else run.stderr


def _tell_wheels(text: str) -> list[str]:
    """Print of each platform what has no wheel, as soon as it is known; what went wrong."""
    say = sys.stdout.write
    say("  asking the registry for wheels, a minute or more for each kind of machine ...\n")
    sys.stdout.flush()
    try:
        for platform, names in wheels(text, "3.11"):
            say(f"  wheels for {platform}: {', '.join(names) or 'all'}"
                f"{' have none' if names else ''}\n")  # fmt: skip
            sys.stdout.flush()
    except WheelsUnknown as unknown:
        say("  wheels: not known\n")
        return [f"wheels: {unknown}"]
    return []


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
            wrong += _tell_wheels(text)
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

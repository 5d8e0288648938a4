"""The audit of the lock files: what it lets through and what not."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import audit

HASH = "--hash=sha256:" + "0" * 64


@pytest.mark.parametrize("lock", audit.LOCKS)
def test_our_locks_hold_pins_and_hashes_alone(lock: str) -> None:
    text = (audit.ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    pins, wrong = audit.read_lock(text)
    assert len(pins) > 5
    assert wrong == []
    assert audit.known_bad(pins, audit.KNOWN_BAD.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"good==1.0 \\\n    {HASH}\n    # via other", ""),
        (f"good==1.0 ; python_version < '3.12' \\\n    {HASH} \\\n    {HASH}", ""),
        ("bare==1.0", "bare: without a hash"),
        ("bare==1.0 \\\n    --hash=md5:0123", "bare: without a hash"),
        (f"loose>=1.0 \\\n    {HASH}", "not a pin: loose"),
        ("-i elsewhere", "not a pin: -i"),
        (f"odd==1.0 {HASH} --hash=sha256:short", "odd: --hash=sha256:short"),
        ("-r other.txt", "not a pin: -r"),
        ("name @ file:wheel.whl", "not a pin: name @"),
    ],
)
def test_what_is_not_pinned_is_found(line: str, says: str) -> None:
    wrong = audit.read_lock(line)[1]
    assert bool(wrong) == bool(says)
    assert not says or wrong[0].startswith(says)


def test_versions_with_a_known_hole_are_found() -> None:
    pins, _ = audit.read_lock(f"Some.Name==1.2 {HASH}\nother==2.0 {HASH}")
    assert audit.known_bad(pins, "# why\nsome-name<1.3   a hole\nother<2.0 x") == [
        "some-name 1.2: a hole"
    ]


def test_each_place_that_is_silenced_says_why() -> None:
    assert audit.without_reason() == []


def test_everything_an_instance_needs_may_be_handed_on() -> None:
    text = (audit.ROOT / "requirements" / "base.lock").read_text(encoding="utf-8")
    counts, wrong = audit.licences(audit.read_lock(text)[0])
    assert wrong == []
    assert not counts["none told"]


# --- wheels ---------------------------------------------------------------------------------------

# What is installed here, to tell a registry that is away from one without a wheel.
INSTALLED = f"pytest=={pytest.__version__} {HASH}"
LOCK = f"{INSTALLED}\nlacking==1.0 {HASH}\nother==2.0 ; sys_platform == 'win32' {HASH}"


class Registry:
    """pip, as far as the audit asks it. lacks: (name, platform) without a wheel. says: instead."""

    def __init__(self, *lacks: tuple[str, str], says: str = "", hangs: bool = False) -> None:
        self.lacks, self.says, self.hangs = lacks, says, hangs
        self.asked = 0

    def run(self, argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.asked += 1
        assert 0 < options["timeout"] <= audit.REGISTRY_S
        if self.hangs:
            raise subprocess.TimeoutExpired(argv, options["timeout"])
        pins = [line.split()[0] for line in Path(argv[-1]).read_text(encoding="utf-8").splitlines()]
        for pin in pins:
            if self.says or any(
                pin.startswith(f"{name}==") and platform in argv for name, platform in self.lacks
            ):
                said = self.says or f"ERROR: No matching distribution found for {pin}\n"
                return subprocess.CompletedProcess(argv, 1, "", said.replace("PIN", pin))
        return subprocess.CompletedProcess(argv, 0, "", "")


def test_what_has_no_wheel_is_told_for_each_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(("lacking", "musllinux_1_2_aarch64"))
    monkeypatch.setattr(subprocess, "run", registry.run)
    assert dict(audit.wheels(LOCK, "3.11")) == {
        "x86-64, glibc": [],
        "arm64, glibc": [],
        "x86-64, musl": [],
        "arm64, musl": ["lacking==1.0"],
    }


@pytest.mark.parametrize(
    ("registry", "reason"),
    [
        (Registry(says="ERROR: No matching distribution found for PIN"), "does not answer"),
        (Registry(says="ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"), "DO NOT MATCH"),
        (Registry(says=" "), "pip says"),
        (Registry(hangs=True), "no end after 15 minutes"),
    ],
    ids=["away", "other bytes", "silent", "hangs"],
)
def test_a_registry_that_does_not_answer_is_not_one_without_wheels(
    monkeypatch: pytest.MonkeyPatch, registry: Registry, reason: str
) -> None:
    monkeypatch.setattr(subprocess, "run", registry.run)
    with pytest.raises(audit.WheelsUnknown, match=reason):
        dict(audit.wheels(LOCK, "3.11"))
    assert registry.asked <= 2

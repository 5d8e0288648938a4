"""The audit of the lock files: what it lets through and what not."""

from __future__ import annotations

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

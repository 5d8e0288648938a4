"""Answers kept in memory: whose they are, of which revision, and how many bytes."""

from __future__ import annotations

from jobs.queries.kept import KeptAnswers


def test_an_answer_is_kept_for_its_key_and_revision_alone() -> None:
    kept = KeptAnswers(100)
    kept.put(("alice", "job"), "1", b"hers")
    assert kept.get(("alice", "job"), "1") == b"hers"
    assert kept.get(("alice", "job"), "2") is None
    assert kept.get(("bob", "job"), "1") is None


def test_a_newer_answer_takes_the_place_of_the_older_one() -> None:
    kept = KeptAnswers(100)
    for revision in range(1000):
        kept.put("job", str(revision), b"x" * 40)
    assert kept.get("job", "998") is None
    assert kept.get("job", "999") == b"x" * 40
    kept.put("other", "1", b"x" * 40)
    assert kept.get("job", "999"), "the older ones left no bytes behind"


def test_what_was_used_longest_ago_goes_first() -> None:
    kept = KeptAnswers(100)
    for name in ("first", "second"):
        kept.put(name, "1", b"x" * 50)
    kept.get("first", "1")
    kept.put("third", "1", b"x" * 50)
    assert [bool(kept.get(name, "1")) for name in ("first", "second", "third")] == [
        True,
        False,
        True,
    ]


def test_a_huge_answer_pushes_nobody_out() -> None:
    kept = KeptAnswers(100)
    kept.put("small", "1", b"x")
    kept.put("huge", "1", b"x" * 50)
    kept.put("huge", "2", b"x" * 51)
    assert kept.get("small", "1")
    assert kept.get("huge", "1") is None
    assert kept.get("huge", "2") is None


def test_nothing_is_left_after_clearing() -> None:
    kept = KeptAnswers(100)
    kept.put("job", "1", b"x")
    kept.clear()
    assert kept.get("job", "1") is None

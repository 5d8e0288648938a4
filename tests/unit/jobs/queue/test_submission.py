"""From pasted lines to a job: verdicts, limits, hostile text, and all or nothing."""

from __future__ import annotations

import uuid
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, OperationalError
from django.utils import timezone

from jobs.choices import PackOrigin
from jobs.errors import BatchTooLong, DiskFull, StorageUnavailable
from jobs.files import capacity
from jobs.lines import target_of
from jobs.models import Audio, Item, ItemKind, Job, Prefer
from jobs.queue import idempotency, submission
from jobs.queue.submission import EmptySubmission, NothingUnderstood, Options, submit
from jobs.states import ItemState, job_state
from jobs.upstream import protocol
from stories.errors import NotUnderstood
from stories.targets import parse_line
from tests import packs
from tests.factories import make_user
from tests.unit.jobs.conftest import Broker

pytestmark = pytest.mark.django_db
S = ItemState
STORY = "https://www.tiktok.com/@sample.user/story/7512345678901234567"
POST = "https://www.tiktok.com/@sample.user/video/7512345678901234567"


def items(job: Job) -> list[Item]:
    return list(job.items.order_by("position"))


def test_links_are_read_as_the_protocol_pack_of_the_instance_says(set_env: Any) -> None:
    link = "https://go.tiktokv.eu/share/video/7512345678901234567"
    with pytest.raises(NothingUnderstood):
        submit(make_user(), [link])
    set_env(protocol_key=packs.PUBLIC_TEXT)
    envelope = packs.signed(lambda facts: facts["hosts"]["share"].append("go.tiktokv.eu"))
    protocol.store(envelope, PackOrigin.FILE)
    protocol.in_use.forget()
    (item,) = items(submit(make_user("nora"), [link]))
    assert item.state == S.QUEUED


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("@sample.user", ItemKind.USER),
        ("https://www.tiktok.com/@sample.user", ItemKind.USER),
        (STORY, ItemKind.STORY),
        (POST, ItemKind.POST),
        ("https://vm.tiktok.com/ZM12345/", ItemKind.STORY),
    ],
)
def test_each_line_becomes_an_item_that_remembers_its_target(line: str, kind: ItemKind) -> None:
    (item,) = items(submit(make_user(), [line]))
    assert (item.state, item.kind, item.line) == (S.QUEUED, kind, line)
    assert target_of(item) == parse_line(line)
    assert item.key == parse_line(line).key
    item.refresh_from_db()
    assert target_of(item) == parse_line(line)  # through JSON and back


@pytest.mark.parametrize(
    ("line", "code", "kind"),
    [
        ("what is this?!", "not_understood", ItemKind.USER),
        ("https://www.tiktok.com/tag/cats", "unsupported_link", ItemKind.POST),
        ("https://evil.example/@sample.user", "unsupported_link", ItemKind.POST),
    ],
)
def test_a_refused_line_fails_at_once_and_harms_no_other(
    line: str, code: str, kind: ItemKind
) -> None:
    job = submit(make_user(), ["@one", line, "@two"])
    first, refused, second = items(job)
    assert (refused.state, refused.error_code, refused.kind) == (S.FAILED, code, kind)
    assert refused.settled_at is not None
    assert (first.state, second.state, job.settled_at) == (S.QUEUED, S.QUEUED, None)
    with pytest.raises(NotUnderstood):
        target_of(refused)


ADVERT = "https://www.tiktok.com/tiktoklite"


def test_an_advert_beside_a_line_is_no_failure() -> None:
    """Two share texts of TikTok Lite at once, which no rule can take for one."""
    texts = [
        f"Look! https://vt.tiktok.com/ZSfake{n}/\nMore in TikTok Lite: {ADVERT}" for n in (1, 2)
    ]
    job = submit(make_user(), "\n".join(texts).splitlines())
    found = [(item.state, item.error_code) for item in items(job)]
    assert found == [(S.QUEUED, ""), (S.EMPTY, "advert"), (S.QUEUED, "")]
    assert job_state([S.DONE, S.EMPTY, S.DONE]) == S.DONE


def test_an_advert_alone_makes_no_job_and_says_what_it_is() -> None:
    with pytest.raises(NothingUnderstood) as refused:
        submit(make_user(), [f"Get TikTok Lite: {ADVERT}"])
    assert refused.value.common_code == "advert"
    assert refused.value.said() == "This line cannot be saved."


def test_lines_that_are_all_refused_make_no_job_and_queue_nothing(
    broker: Broker, django_capture_on_commit_callbacks: Any
) -> None:
    with (
        django_capture_on_commit_callbacks(execute=True),
        pytest.raises(NothingUnderstood) as refused,
    ):
        submit(make_user(), ["???", "https://www.tiktok.com/tag/cats", "???"])
    codes = [line.error.code for line in refused.value.lines if line.error]
    assert codes == ["not_understood", "unsupported_link"]
    assert not Job.objects.exists()
    assert broker.sent == []


def test_what_is_submitted_is_sent_after_the_commit(
    broker: Broker, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = submit(make_user(), ["@one", "@two"])
        assert broker.sent == []
    assert set(broker.sent) == {item.pk for item in items(job)}


def test_the_same_thing_twice_is_one_item() -> None:
    job = submit(
        make_user(),
        [
            "@One",
            "one",
            "https://www.tiktok.com/@one?lang=de",
            "  ",
            "what?!",
            "what?!",
            "@two, @one",
        ],
    )
    assert [item.line for item in items(job)] == ["@One", "what?!", "@two"]


@pytest.mark.parametrize("lines", [[], ["", "  ", "\n\t"], ["\x00"]])
def test_nothing_is_not_a_job(lines: list[str]) -> None:
    with pytest.raises(EmptySubmission) as refused:
        submit(make_user(), lines)
    assert refused.value.code == "not_understood"
    assert not Job.objects.exists()


def test_the_limit_counts_what_would_be_fetched_and_is_named(set_env: Any) -> None:
    set_env(batch_max=3)
    assert len(items(submit(make_user(), ["@a1", "@a1", "@b1", "@c1"]))) == 3
    with pytest.raises(BatchTooLong, match=r"4 lines.*at most 3"):
        submit(make_user(), ["@a1", "@b1", "@c1", "@d1"])
    with pytest.raises(BatchTooLong, match=r"4 lines.*at most 3"):
        submit(make_user(), ["@a1 @b1", "@c1, @d1"])
    assert Job.objects.count() == 1


def test_without_room_nothing_is_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise DiskFull("no room")

    monkeypatch.setattr(capacity, "require_room", full)
    with pytest.raises(DiskFull):
        submit(make_user(), ["@one"])
    assert not Job.objects.exists()
    with pytest.raises(NothingUnderstood):  # a verdict needs no room
        submit(make_user(), ["???"])


def test_while_the_disk_is_away_lines_are_taken_and_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise StorageUnavailable("not the folder the saved files are in")

    monkeypatch.setattr(capacity, "require_room", away)
    (item,) = items(submit(make_user(), ["@one"]))
    assert item.state == ItemState.QUEUED


def test_an_idempotency_key_makes_one_job() -> None:
    alice, bob = make_user("alice"), make_user("bob")
    key = str(uuid.uuid4())
    first = submit(alice, ["@one"], idempotency_key=key)
    assert submit(alice, ["@one"], idempotency_key=key) == first
    assert submit(bob, ["@two"], idempotency_key=key) != first
    assert submit(alice, ["@one"]) != submit(alice, ["@one"])
    assert Job.objects.filter(owner=alice).count() == 3


@pytest.mark.parametrize("key", ["x" * 5000, "a\x00b", "\ud800", "  spaced  "])
def test_hostile_keys_stay_apart(key: str) -> None:
    job = submit(make_user(), ["@one"], idempotency_key=key)
    job.refresh_from_db()
    assert submit(make_user(), ["@one"], idempotency_key=key) == job
    assert submit(make_user(), ["@one"], idempotency_key=key + "y") != job


def test_two_requests_with_one_key_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one committed between our look and our insert."""
    alice = make_user()
    first = submit(alice, ["@one"], idempotency_key="k")
    answers = iter([None, first])
    monkeypatch.setattr(idempotency, "earlier_job", lambda *_: next(answers))
    assert submit(alice, ["@one"], idempotency_key="k") == first
    assert Job.objects.count() == 1


def test_another_integrity_error_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Job:
        raise IntegrityError

    monkeypatch.setattr(submission, "_create", broken)
    with pytest.raises(IntegrityError):
        submit(make_user(), ["@one"])


def test_options_and_note_are_kept() -> None:
    options = Options(prefer=Prefer.HIGHEST, posts=True, audio=Audio.MP3)
    job = submit(make_user(), ["@one"], note=" why\r\nI saved this ", options=options)
    job.refresh_from_db()
    assert (job.prefer, job.posts, job.audio) == ("highest", True, "mp3")
    assert job.note == "why\nI saved this"


def test_the_zone_the_page_shows_times_in_is_kept_for_the_names() -> None:
    with timezone.override(ZoneInfo("Asia/Kathmandu")):
        job = submit(make_user(), ["@one"])
    job.refresh_from_db()
    assert job.time_zone == "Asia/Kathmandu"
    assert submit(make_user(), ["@one"]).time_zone == ""


@pytest.mark.parametrize(
    "text",
    [
        "a\x00b",
        "\ud800\udfff",
        "x" * 100_000,
        "\x1b[31mred",
        "é" * 5000,
        "\u2028\u2029",
        "🌊" * 999,
    ],
    ids=lambda text: ascii(text[:4]),
)
def test_hostile_text_is_stored_tame(text: str) -> None:
    job = submit(make_user(), [text, "@one"], note=text)
    job.refresh_from_db()
    for stored in [job.note, *(item.line for item in items(job))]:
        assert len(stored) <= 500
        assert not any(char < " " and char != "\n" for char in stored)
        stored.encode()


@pytest.mark.django_db(transaction=True)
def test_a_job_that_was_made_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker, or the database, may fail right after the commit."""

    def locked() -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(submission, "dispatch", locked)
    assert submission.submit(make_user(), ["@one"]).items.get().state == ItemState.QUEUED

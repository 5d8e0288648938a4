"""Every state a page can be in, made from rows and real files, for pictures and for tests."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.fetching import author_pictures
from jobs.models import Artifact, Item, ItemKind, Job, Package, PackageState, Role, Story, StoryKind
from jobs.states import ItemState
from stories.media import avatars
from tests import factories
from tests.fake_tiktok import drawing, media

TALL = (360, 640)


def picture(label: str, size: tuple[int, int] = TALL) -> bytes:
    """A JPEG that stands for `label`."""
    out = io.BytesIO()
    drawing.draw(size, label).save(out, "JPEG", quality=82)
    return out.getvalue()


def add_story(
    item: Item,
    kind: StoryKind,
    *,
    hours_ago: float,
    count: int = 1,
    have: int | None = None,
    **facts: Any,
) -> Story:
    """A story with its files and posters, `have` of `count` of them saved."""
    posted = timezone.now() - timedelta(hours=hours_ago)
    have = count if have is None else have
    # Two lines at once: else their stories would be the same, by two ways.
    facts.setdefault("tiktok_id", str(7_400_000_000_000_000_000 + Story.objects.count()))
    story = factories.make_story(
        item,
        kind=kind,
        media_count=count,
        posted_at=posted,
        leaves_at=posted + timedelta(hours=24),
        **facts,
    )
    name = f"{item.author_name or 'someone'}_{posted:%Y-%m-%d_%H%M}"
    places = [place for place in range(1, count + 1) if have == count or place != min(3, count)]
    for place in places[:have]:
        label = f"{item.author_name} {story.position}.{place}"
        _add_files(story, place, name, label)
    if count > 1 and have:
        factories.make_artifact(
            story,
            role=Role.ZIP,
            position=0,
            name=f"{name}.zip",
            content_type="application/zip",
            content=b"PK\x05\x06" + bytes(18),
        )
    return story


def _add_files(story: Story, place: int, name: str, label: str) -> None:
    poster = picture(label)
    if story.kind == StoryKind.VIDEO:
        length = 2.0
        facts: dict[str, Any] = {
            "name": f"{name}.mp4",
            "content_type": "video/mp4",
            "duration_s": 9.0 + 7 * story.position,
            "has_audio": True,
            "content": media.video(length, TALL, label=label),
        }
    else:
        facts = {"name": f"{name}_{place:02}.jpg", "content": picture(label)}
    width, height = TALL
    file = factories.make_artifact(story, position=place, width=width, height=height, **facts)
    Artifact.objects.filter(pk=file.pk).update(size_bytes=file.size_bytes)
    factories.make_artifact(
        story,
        role=Role.POSTER,
        position=place,
        name=f"{name}_{place:02}_poster.jpg",
        width=width,
        height=height,
        labels=["poster"],
        content=poster,
    )


def make_line(job: Job, name: str, nickname: str, state: ItemState, **facts: Any) -> Item:
    item = factories.make_item(
        job,
        name=name,
        state=state,
        author_id="6800000000000000001",
        author_name=name,
        author_nickname=nickname,
        **facts,
    )
    if name:
        author_pictures.save(item.pk, avatars.make(media.portrait(name)))
    return item


def make_job(owner: User, note: str = "", **facts: Any) -> Job:
    return factories.make_job(owner, note=note, **facts)


def done(owner: User) -> Job:
    """One account, everything saved: videos, photos, a carousel."""
    job = make_job(owner, note="Autumn campaign, second week", settled_at=timezone.now())
    item = make_line(job, "nora.films", "Nora Lindqvist", ItemState.DONE)
    add_story(item, StoryKind.VIDEO, hours_ago=21.5, caption="first light over the bay")
    add_story(item, StoryKind.PHOTO, hours_ago=17)
    add_story(item, StoryKind.CAROUSEL, hours_ago=9, count=6, caption="six from the market")
    add_story(item, StoryKind.VIDEO, hours_ago=4.2, caption="rain, then not")
    add_story(item, StoryKind.PHOTO, hours_ago=1.1, caption="golden hour")
    return job


def many(owner: User) -> Job:
    """Several lines, each with a verdict of its own."""
    job = make_job(owner, settled_at=timezone.now())
    first = make_line(job, "nora.films", "Nora Lindqvist", ItemState.DONE)
    add_story(first, StoryKind.VIDEO, hours_ago=20, caption="first light")
    add_story(first, StoryKind.PHOTO, hours_ago=3)
    short = make_line(
        job, "market.street", "Market Street", ItemState.PARTIAL, error_code="media_unavailable"
    )
    add_story(
        short, StoryKind.CAROUSEL, hours_ago=6, count=5, have=4, state=ItemState.PARTIAL,
        error_code="media_unavailable",
    )  # fmt: skip
    only = add_story(short, StoryKind.VIDEO, hours_ago=2)
    only.artifacts.filter(role=Role.MEDIA).update(labels=["hevc", "watermarked"])
    make_line(job, "quiet.one", "Quiet One", ItemState.EMPTY)
    factories.make_item(
        job, name="nobody.here", state=ItemState.FAILED, error_code="no_such_account"
    )
    factories.make_item(
        job, name="x", line="https://www.tiktok.com/@nora.films/video/7300000000000000001",
        kind=ItemKind.POST, state=ItemState.FAILED, error_code="not_a_story",
        target={"kind": "post", "name": "nora.films", "item_id": "7300000000000000001"},
    )  # fmt: skip
    factories.make_item(
        job, name="y", line="https://example.com/watch?v=1", state=ItemState.FAILED, target={},
        error_code="unsupported_link", error_detail="another site (example.com)",
    )  # fmt: skip
    return job


def running(owner: User) -> Job:
    """Half way: some tiles are here, others on their way, more lines wait."""
    job = make_job(owner)
    item = make_line(job, "nora.films", "Nora Lindqvist", ItemState.RUNNING)
    add_story(item, StoryKind.VIDEO, hours_ago=21)
    add_story(item, StoryKind.PHOTO, hours_ago=12)
    for hours in (5.0, 3.0):
        add_story(item, StoryKind.VIDEO, hours_ago=hours, have=0, state=ItemState.QUEUED)
    factories.make_item(job, name="market.street")
    factories.make_item(job, name="harbour.watch")
    return job


def queued(owner: User) -> Job:
    """Nothing has begun."""
    job = make_job(owner)
    factories.make_item(job, name="nora.films")
    return job


def refused(owner: User) -> Job:
    """TikTok turns the server away; the lines wait."""
    job = make_job(owner)
    until = timezone.now() + timedelta(minutes=14)
    for name in ("nora.films", "market.street"):
        factories.make_item(job, name=name, not_before=until, error_code="refused")
    return job


def torn_carousel(owner: User) -> Item:
    """The line of one account; the third photo of its first story did not arrive."""
    job = make_job(owner, settled_at=timezone.now())
    item = make_line(
        job, "market.street", "Market Street", ItemState.PARTIAL, error_code="media_unavailable"
    )
    add_story(
        item, StoryKind.CAROUSEL, hours_ago=6, count=5, have=4, state=ItemState.PARTIAL,
        error_code="media_unavailable",
    )  # fmt: skip
    return item


def partial(owner: User) -> Job:
    """One account; of its first story a photo did not arrive, of its second nothing."""
    item = torn_carousel(owner)
    failed: dict[str, Any] = {"state": ItemState.FAILED, "error_code": "media_corrupt"}
    add_story(item, StoryKind.VIDEO, hours_ago=5, have=0, **failed)
    return item.job


def left_out(owner: User) -> Job:
    """One account whose list names and counts more than it hands over."""
    job = make_job(owner, settled_at=timezone.now())
    item = make_line(
        job,
        "market.street",
        "Market Street",
        ItemState.PARTIAL,
        error_code="upstream_changed",
        left_out={"no_media": 1},
    )
    add_story(item, StoryKind.PHOTO, hours_ago=6)
    add_story(item, StoryKind.VIDEO, hours_ago=5)
    return job


def left_out_lines(owner: User) -> Job:
    """Several accounts, of which more or less was left out, for one reason or for many."""
    job = make_job(owner)
    state = ItemState.PARTIAL
    reasons = {"held_back": 12, "age_restricted": 1, "private": 2, "unreadable": 1, "foreign": 3}
    item = make_line(
        job, "nora.films", "Nora Lindqvist", state, error_code="upstream_down", left_out=reasons
    )
    add_story(item, StoryKind.CAROUSEL, hours_ago=6, count=4)
    item = make_line(
        job,
        "harbour.watch",
        "Harbour Watch",
        state,
        error_code="media_unavailable",
        left_out={"age_restricted": 1},
    )
    add_story(
        item, StoryKind.CAROUSEL, hours_ago=6, count=5, have=4, state=state,
        error_code="media_unavailable",
    )  # fmt: skip
    make_line(
        job, "after.dark", "After Dark", ItemState.FAILED, error_code="age_restricted",
        left_out={"age_restricted": 3},
    )  # fmt: skip
    item = make_line(
        job, "slow.list", "Slow List", ItemState.QUEUED, error_code="upstream_down",
        left_out={"broken_off": 1}, not_before=timezone.now() + timedelta(minutes=1),
    )  # fmt: skip
    add_story(item, StoryKind.PHOTO, hours_ago=2)
    return job


def unusual(owner: User) -> Job:
    """Files that differ from what one expects, and an advert that came along with the link."""
    job = make_job(owner, settled_at=timezone.now())
    item = make_line(job, "market.street", "Market Street", ItemState.DONE)
    labels = (["odd_format"], ["no_sound"], ["hevc", "watermarked"], ["joined", "retagged"])
    for hours, of_file in enumerate(labels, start=3):
        video = add_story(item, StoryKind.VIDEO, hours_ago=hours)
        video.artifacts.filter(role=Role.MEDIA).update(labels=of_file)
    photo = add_story(item, StoryKind.PHOTO, hours_ago=2)
    photo.artifacts.filter(role=Role.MEDIA).update(checked=False)
    _advert(job)
    return job


def advert(owner: User) -> Job:
    """Nothing but an advert."""
    job = make_job(owner, settled_at=timezone.now())
    _advert(job)
    return job


def _advert(job: Job) -> None:
    factories.make_item(
        job, name="app", line="https://lite.tiktok.com/t/ZPkitchensink/", state=ItemState.EMPTY,
        target={}, error_code="advert",
    )  # fmt: skip


def failed(owner: User) -> Job:
    """Nothing came."""
    job = make_job(owner, settled_at=timezone.now())
    factories.make_item(
        job, name="private.person", state=ItemState.FAILED, error_code="private_account"
    )
    factories.make_item(job, name="nobody.here", state=ItemState.FAILED, error_code="upstream_down")
    return job


def empty(owner: User) -> Job:
    """An answer, not an error."""
    job = make_job(owner, settled_at=timezone.now())
    make_line(job, "quiet.one", "Quiet One", ItemState.EMPTY)
    return job


def cancelled(owner: User) -> Job:
    """Stopped half way; what was saved stays."""
    job = make_job(owner, settled_at=timezone.now())
    stopped: dict[str, Any] = {"state": ItemState.CANCELLED, "error_code": "cancelled"}
    item = make_line(job, "nora.films", "Nora Lindqvist", **stopped)
    add_story(item, StoryKind.VIDEO, hours_ago=20)
    add_story(item, StoryKind.PHOTO, hours_ago=10, have=0, **stopped)
    return job


def cancelled_lines(owner: User) -> Job:
    """Several lines stopped while they were saving: one had a story here, the others none."""
    job = make_job(owner, settled_at=timezone.now())
    stopped: dict[str, Any] = {"state": ItemState.CANCELLED, "error_code": "cancelled"}
    for name, nickname in (
        ("nora.films", "Nora Lindqvist"),
        ("market.street", "Market Street"),
        ("harbour.watch", ""),
    ):
        item = make_line(job, name, nickname, **stopped)
        if name == "nora.films":
            add_story(item, StoryKind.VIDEO, hours_ago=20)
        for hours in (9.0, 4.0):
            add_story(item, StoryKind.PHOTO, hours_ago=hours, have=0, **stopped)
    return job


def cleaned(owner: User) -> Job:
    """Two hours later."""
    job = done(owner)
    when = timezone.now() - timedelta(minutes=20)
    Artifact.objects.filter(job=job).update(removed_at=when, expires_at=when)
    story = Story.objects.filter(item__job=job).order_by("posted_at").first()
    if story:
        story.leaves_at = timezone.now() - timedelta(hours=1)
        story.save()
    return job


def packed(owner: User) -> Job:
    """The ZIP is ready."""
    job = done(owner)
    zipped = factories.make_artifact(
        job=job,
        name="nora.films_2026-11-20.zip",
        size_bytes=31_400_000,
        content=b"PK\x05\x06" + bytes(18),
    )
    job.bundle = Package.objects.create(
        job=job, owner=owner, state=PackageState.DONE, artifact=zipped
    )
    job.save()
    return job


def long_names(owner: User) -> Job:
    """Everything as long as it gets, and right-to-left text among it."""
    job = make_job(owner, note="Why " * 120, settled_at=timezone.now())
    item = make_line(
        job, "a_very.long_name_of_24_c", "Nickname-without-any-break-" * 5, ItemState.DONE
    )
    add_story(item, StoryKind.VIDEO, hours_ago=3, caption="unbreakable" * 40)
    add_story(item, StoryKind.PHOTO, hours_ago=2, caption="صباح الخير من السوق القديم " * 6)
    other = make_line(job, "souq.stories", "حكايات السوق", ItemState.DONE)
    add_story(other, StoryKind.PHOTO, hours_ago=1, caption="مرحبا!")
    factories.make_item(
        job, name="z", line="https://www.example.com/" + "very-long-path/" * 25, target={},
        state=ItemState.FAILED, error_code="unsupported_link",
        error_detail="another site (example.com)",
    )  # fmt: skip
    return job


def fifty(owner: User) -> Job:
    """As many lines as a job may hold."""
    job = make_job(owner, settled_at=timezone.now())
    for number in range(50):
        item = make_line(
            job, f"account{number:02}", "", ItemState.DONE if number % 3 else ItemState.EMPTY
        )
        if number % 3 and number < 12:
            add_story(item, StoryKind.PHOTO, hours_ago=number + 1)
    return job


def crowd(owner: User) -> Job:
    """Many lines, most of which failed."""
    job = make_job(owner, settled_at=timezone.now())
    ends = [("upstream_down", 14), ("no_such_account", 8), ("private_account", 6)]
    for code, many in ends:
        for number in range(many):
            factories.make_item(
                job, name=f"{code[:7]}{number:02}", state=ItemState.FAILED, error_code=code
            )
    for number in range(12):
        item = make_line(
            job, f"account{number:02}", "", ItemState.DONE if number % 3 else ItemState.EMPTY
        )
        if number % 3:
            add_story(item, StoryKind.PHOTO, hours_ago=number + 1)
    return job


def folded(owner: User) -> Job:
    """Many accounts with more stories each than a page shows at once."""
    job = make_job(owner, settled_at=timezone.now())
    for number in range(16):
        item = make_line(job, f"account{number:02}", f"Account {number}", ItemState.DONE)
        for place in range(20):
            have = 1 if place < 6 else 0
            add_story(item, StoryKind.PHOTO, hours_ago=20 - place / 2, have=have)
    return job


def one_long(owner: User) -> Job:
    """One account with more stories than a page shows at once."""
    job = make_job(owner, settled_at=timezone.now())
    item = make_line(job, "busy.bakery", "Busy Bakery", ItemState.DONE)
    for place in range(66):
        add_story(item, StoryKind.PHOTO, hours_ago=20 - place / 5)
    return job


SCENES: dict[str, Callable[[User], Job]] = {
    "done": done,
    "many": many,
    "running": running,
    "queued": queued,
    "refused": refused,
    "partial": partial,
    "left-out": left_out,
    "left-out-lines": left_out_lines,
    "unusual": unusual,
    "advert": advert,
    "failed": failed,
    "empty": empty,
    "cancelled": cancelled,
    "cancelled-lines": cancelled_lines,
    "cleaned-up": cleaned,
    "packed": packed,
    "long-names": long_names,
    "fifty": fifty,
    "crowd": crowd,
    "folded": folded,
    "one-long": one_long,
}

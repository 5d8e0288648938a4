"""Jobs of one or two stories, which get much room, and of forty accounts, which get a row each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.files import damage, store
from jobs.models import Job, Package, PackageState, Role, StoryKind
from jobs.states import ItemState
from tests import factories
from tests.browser.scenes import add_story, done, make_job, make_line, torn_carousel


def one_video(owner: User) -> Job:
    """The commonest job: one account, one video."""
    job = make_job(owner, settled_at=timezone.now())
    item = make_line(job, "nora.films", "Nora Lindqvist", ItemState.DONE)
    add_story(item, StoryKind.VIDEO, hours_ago=20, caption="first light over the bay")
    return job


def one_photo(owner: User) -> Job:
    """One photo, which leaves TikTok within the hour."""
    job = make_job(owner, settled_at=timezone.now())
    item = make_line(job, "harbour.watch", "", ItemState.DONE)
    add_story(item, StoryKind.PHOTO, hours_ago=23.3)
    return job


def two(owner: User) -> Job:
    """Two stories side by side: a carousel of which a part is missing, and a video."""
    item = torn_carousel(owner)
    add_story(item, StoryKind.VIDEO, hours_ago=5, caption="the second of two")
    return item.job


def packing(owner: User) -> Job:
    """Its ZIP was asked for, and is packed."""
    job = done(owner)
    job.bundle = Package.objects.create(job=job, owner=owner, state=PackageState.RUNNING)
    job.save()
    return job


def damaged(owner: User) -> Job:
    """The disk has not kept the only picture of one story, and a photo of a carousel."""
    job = make_job(owner, settled_at=timezone.now())
    item = make_line(job, "market.street", "Market Street", ItemState.DONE)
    add_story(item, StoryKind.CAROUSEL, hours_ago=6, count=5, have=5)
    add_story(item, StoryKind.PHOTO, hours_ago=5)
    add_story(item, StoryKind.VIDEO, hours_ago=4)
    carousel, photo, _video = item.stories.order_by("posted_at")
    for story, position in ((carousel, 3), (photo, 1)):
        media = story.artifacts.get(role=Role.MEDIA, position=position)
        store.remove(media.pk)
        damage.give_up([media])
    return job


NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ida", "Jon", "Kim", "Lea")


def sheet(owner: User) -> Job:
    """Forty accounts of a few stories each, most of them done: what a team pastes."""
    job = make_job(owner, note="Autumn campaign, second week")
    for number in range(40):
        first = NAMES[number % len(NAMES)]
        name = f"{first.lower()}.{'films' if number < 20 else 'daily'}"
        state = ItemState.RUNNING if number in {30, 31} else ItemState.DONE
        if number == 7:
            make_line(job, name, f"{first} Lind", ItemState.FAILED, error_code="upstream_down")
            continue
        if number in {12, 21}:
            make_line(job, name, f"{first} Lind", ItemState.EMPTY)
            continue
        if number > 36:
            factories.make_item(job, name=name)
            continue
        item = make_line(job, name, f"{first} Lind" if number % 4 else "", state)
        for place in range(8 if number == 3 else 1 + number % 4):
            late = state == ItemState.RUNNING and place
            add_story(
                item,
                StoryKind.PHOTO,
                hours_ago=(number * 0.63 + place * 1.7) % 23.8,
                have=0 if late else 1,
                state=ItemState.QUEUED if late else ItemState.DONE,
            )
    return job


SCENES: Final[dict[str, Callable[[User], Job]]] = {
    "one-video": one_video,
    "one-photo": one_photo,
    "two": two,
    "packing": packing,
    "damaged": damaged,
    "sheet": sheet,
}

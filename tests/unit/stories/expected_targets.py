"""The targets that the tests of links and of pasted prose expect."""

from __future__ import annotations

from stories.structures import Target, TargetKind

ID = "7513039991730291236"
SEC_UID = "MS4wLjABAAAAuqccu8k_1KABDBn39RBJGNa25LR7nYqPCSkPudN__kCDW5QVfaiPkcDwSM5LPITv"
WEB = "https://www.tiktok.com"
LITE = f"{WEB}/tiktoklite"


def user(name: str, user_id: str | None = None) -> Target:
    return Target(kind=TargetKind.USER, name=name, user_id=user_id)


def story(name: str | None = "alice") -> Target:
    return Target(kind=TargetKind.STORY, name=name, item_id=ID)


def post(name: str | None = "alice") -> Target:
    return Target(kind=TargetKind.POST, name=name, item_id=ID)


def short(url: str) -> Target:
    return Target(kind=TargetKind.SHORT, short_url=url)

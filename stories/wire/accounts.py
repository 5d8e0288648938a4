"""Accounts, from a profile page or a creator embed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from stories.errors import PrivateAccount, Unavailable, UpstreamChanged
from stories.links import is_name
from stories.structures import Author, Target
from stories.wire.addresses import read_addresses
from stories.wire.bodies import default_scope, embed_entry, json_answer
from stories.wire.codes import CODES, check_code, check_embed_code, message
from stories.wire.values import Raw, as_flag, as_id, as_int, as_object, as_text, first_object

MAX_NICKNAME = 100
MAX_AVATARS = 3
MAX_SEARCHED = 50_000
MAX_STORY_STATUS = 100


def profile_author(html: bytes, asked: Target) -> Author:
    """The account on a profile page, `https://www.tiktok.com/@<name, id or secUid>`.

    asked: what the page was requested for; the answer must be that account (its name, compared
    without case, or its id or secUid). Raises NoSuchAccount, PrivateAccount, RegionLocked,
    LoginRequired, Challenged, Refused, UpstreamChanged.
    """
    scope = default_scope(html)
    detail = first_object(scope, "webapp.user-detail", "webapp.reflow.user.detail")
    if detail is not None:
        check_code(detail, CODES)
        user = as_object(as_object(detail.get("userInfo")).get("user"))
        if not user:
            words = message(detail)
            raise CODES.error_of_words(words, "no account, and words for it") or UpstreamChanged(
                "webapp.user-detail.userInfo.user is missing"
            )
    else:
        # With a phone's user agent the scope has other names: look for the account itself.
        user = _search_user(scope, asked)
        if not user:
            raise UpstreamChanged("__DEFAULT_SCOPE__.webapp.user-detail is missing")
    author = _read_author(user, "userInfo.user")
    if not _is_asked(author, asked):
        raise UpstreamChanged("userInfo.user is not the account asked for")
    if author.private:
        raise PrivateAccount
    return author


def embed_author(html: bytes, name: str) -> Author:
    """The account on a creator embed page, `https://www.tiktok.com/embed/@<name>`.

    Raises what profile_author does, and Unavailable when the embed names no account (a private one,
    or one that switched embedding off): the error of the profile page says more then.
    """
    entry = embed_entry(html, f"/embed/@{name}")
    user = as_object(entry.get("userInfo"))
    check_embed_code((entry, user), CODES)
    if not user.get("id") and not user.get("uniqueId"):
        raise Unavailable("the embed names no account: private, or embedding is switched off")
    author = _read_author(user, "userInfo")
    if author.name != name.lower():
        raise UpstreamChanged("userInfo is not the account asked for")
    if author.private:
        raise PrivateAccount
    return author


def oembed_author_name(body: bytes) -> str:
    """The name, in lower case, of who posted what oEmbed was asked about: it gives no id.

    Raises Refused, Challenged, UpstreamChanged.
    """
    answer = json_answer(body)
    name = answer.get("author_unique_id")
    if not isinstance(name, str) or not is_name(name):
        url = as_text(answer.get("author_url"), 200, one_line=True)
        name = url.partition("?")[0].rstrip("/").rpartition("/@")[2]
    if not is_name(name):
        raise UpstreamChanged("author_unique_id is missing")
    return name.lower()


def _read_author(user: Raw, where: str) -> Author:
    user_id = as_id(user.get("id")) or as_id(user.get("userId"))
    name = user.get("uniqueId")
    if user_id is None:
        raise UpstreamChanged(f"{where}.id is missing")
    if not isinstance(name, str) or not is_name(name):
        raise UpstreamChanged(f"{where}.uniqueId is missing")
    return replace(named_author(user, user_id, name), story_hint=_story_hint(user))


def named_author(user: Raw, user_id: str, name: str) -> Author:
    """An account of known id and name; every other field of `user` is optional."""
    sec_uid = user.get("secUid")
    flags = [as_flag(user[key]) for key in ("privateAccount", "secret") if key in user]
    return Author(
        id=user_id,
        name=name.lower(),
        nickname=as_text(user.get("nickname"), MAX_NICKNAME, one_line=True),
        sec_uid=sec_uid if isinstance(sec_uid, str) and _SEC_UID.fullmatch(sec_uid) else None,
        private=any(flags) if flags else None,
        avatar_urls=_avatar_urls(user),
    )


def _story_hint(user: Raw) -> bool | None:
    """Whether a profile says that there are active stories: any number above zero does.

    None where it says nothing, or nothing we know: more than a handful of states is none.
    """
    status = as_int(user.get("UserStoryStatus"), most=MAX_STORY_STATUS)
    return None if status is None else status > 0


# 720 and 100 pixels, the 100 of an embed, 1080: shown small, the first is sharp and not yet large.
_AVATARS = ("avatarMedium", "avatarThumb", "avatarThumbUrl", "avatarLarger")


def _avatar_urls(user: Raw) -> tuple[str, ...]:
    """The addresses of an account's picture, an address of each size first; () where none is."""
    sizes = [urls for name in _AVATARS if (urls := read_addresses(user.get(name)).urls)]
    mirrors = [*(urls[0] for urls in sizes), *(url for urls in sizes for url in urls[1:])]
    return tuple(dict.fromkeys(mirrors))[:MAX_AVATARS]


_SEC_UID = re.compile(r"MS4wLjABAAAA[A-Za-z0-9_-]{32,64}")


def _is_asked(author: Author, asked: Target) -> bool:
    """True when the account is the asked one; an all-digit name may be a name or an id."""
    return (
        (asked.name is not None and author.name == asked.name.lower())
        or (asked.user_id is not None and author.id == asked.user_id)
        or (asked.sec_uid is not None and author.sec_uid == asked.sec_uid)
    )


def _search_user(scope: Raw, asked: Target) -> Raw:
    """The raw object of the asked account, wherever in `scope` it is; {} when it is nowhere."""
    for user in _objects_within(scope):
        if "uniqueId" not in user or "id" not in user:
            continue
        try:
            author = _read_author(user, "user")
        except UpstreamChanged:
            continue
        if _is_asked(author, asked):
            return user
    return {}


def _objects_within(root: Any) -> Iterator[Raw]:
    """Every JSON object under `root`, nearest first, up to a bound; without recursion."""
    level: list[Any] = [root]
    searched = 0
    while level and searched < MAX_SEARCHED:
        below: list[Any] = []
        for node in level:
            searched += 1
            if isinstance(node, dict):
                yield node
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
        level = [node for node in below if isinstance(node, dict | list)][:MAX_SEARCHED]

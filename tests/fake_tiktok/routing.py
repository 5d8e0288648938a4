"""Which endpoint a request is for, and which account and item it asks about."""

from __future__ import annotations

from urllib.parse import unquote

from tests.fake_tiktok import cdn
from tests.fake_tiktok.exchange import Request, Where
from tests.fake_tiktok.state import State

SUFFIXES = (".tiktok.com", *cdn.SUFFIXES)
SCRIPT_SUFFIXES = (".ttwstatic.com",)
PAGE_HOSTS = frozenset({"www.tiktok.com", "tiktok.com", "m.tiktok.com"})
SHORT_HOSTS = frozenset({"vm.tiktok.com", "vt.tiktok.com", "lite.tiktok.com"})


def is_tiktok(host: str) -> bool:
    """Whether a host is one of TikTok's."""
    return host == "tiktok.com" or host.endswith(SUFFIXES + SCRIPT_SUFFIXES)


def where_of(state: State, request: Request) -> Where:
    """What a request asks for."""
    host, steps = request.host, [step for step in request.bare_path.split("/") if step]
    if cdn.is_media_host(host):
        file = state.find_file(cdn.key_in(request.bare_path))
        return file.where if file else Where("other")
    if host.endswith(SCRIPT_SUFFIXES):
        return Where("script")
    if host in SHORT_HOSTS or (steps[:1] == ["t"] and host in PAGE_HOSTS):
        return Where("short")
    if host not in PAGE_HOSTS:
        return Where("other")
    return _page_where(state, steps, request)


def _page_where(state: State, steps: list[str], request: Request) -> Where:
    first = unquote(steps[0]) if steps else ""
    if not steps:
        return Where("home")
    if first in {"login", "captcha"}:
        return Where(first)
    if steps[:2] == ["aweme", "v1"]:
        story = state.stories.get(request.parameters.get("item_id", ""))
        return Where("play", story.account.name if story else None, story.id if story else None)
    if request.bare_path.rstrip("/") == state.list_path.rstrip("/"):
        return Where("list", _name_of(state, request.parameters.get("authorId", "")))
    if first == "api":
        return Where("api")
    if first == "oembed":
        item = request.parameters.get("url", "").rpartition("/")[2]
        return Where("oembed", state.author_of(item), item)
    if first == "embed" and len(steps) > 1:
        last = unquote(steps[-1])
        if last.startswith("@"):
            return Where("embed", last[1:].lower())
        return Where("embed_item", state.author_of(last), last)
    if first.startswith("@"):
        if len(steps) == 1:
            return Where("profile", _name_of(state, first[1:]))
        if len(steps) == 3 and steps[1] in {"video", "photo", "story"}:
            return Where("page", state.author_of(steps[2]), steps[2])
    return Where("other")


def _name_of(state: State, name_or_id: str) -> str:
    account = state.find_account(name_or_id)
    return account.name if account else name_or_id.lower()

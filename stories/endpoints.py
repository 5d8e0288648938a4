"""The addresses of the pages and lists that TikTok is asked for, as the protocol pack has them."""

from __future__ import annotations

from urllib.parse import urlencode

from stories.protocol.current import current
from stories.structures import Author, Target


def profile(owner: Target) -> str:
    """The profile page of an account, by the best name there is for it."""
    name = owner.name or owner.user_id or owner.sec_uid or "_"
    return current().endpoints.profile.replace("{name}", name)


def profile_embed(name: str) -> str:
    """The embed of an account."""
    return current().endpoints.profile_embed.replace("{name}", name)


def item(item_id: str) -> str:
    """An item's own page."""
    return current().endpoints.item.replace("{id}", item_id)


def item_embed(item_id: str) -> str:
    """An item's embed."""
    return current().endpoints.item_embed.replace("{id}", item_id)


def oembed(link: str) -> str:
    """What oEmbed says about a link."""
    return f"{current().endpoints.oembed}?{urlencode({'url': link})}"


def clock() -> str:
    """A page that is small, and not about anybody, for the time that its answer tells."""
    return current().endpoints.clock


def story_list(author: Author, cursor: str, *, device_id: str = "") -> str:
    """A page of an account's story list. device_id: "" to ask without one."""
    request = current().endpoints.story_list
    slots = {
        "{author_id}": author.id,
        "{sec_uid}": author.sec_uid or "",
        "{name}": author.name,
        "{count}": str(request.page_size),
        "{cursor}": cursor,
    }
    query = [(name, slots.get(value, value)) for name, value in request.query]
    if device_id:
        query.append(("device_id", device_id))
    return f"{request.url}?{urlencode(query)}"

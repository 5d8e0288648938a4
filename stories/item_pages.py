"""The pages that tell about one item: its own page, its embed, and oEmbed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from stories import endpoints, wire
from stories.errors import Unavailable, UpstreamChanged
from stories.hosts import SITE
from stories.http.headers import Purpose
from stories.http.session import Session
from stories.site_clock import SiteClock
from stories.structures import Story

OnClue = Callable[[wire.ItemClue], None]

# What oEmbed answers for an item that does not exist.
_BAD_REQUEST = 400


async def get_item(
    item_id: str,
    session: Session,
    *,
    clock: SiteClock,
    now: datetime | None = None,
    on_clue: OnClue = lambda _: None,
) -> Story:
    """A story or post from its own page. Raises what wire.page_item does.

    on_clue: called with what the page tells beside the item, also when it does not show it.
    """

    async def read() -> Story:
        page = await session.get_page(endpoints.item(item_id))
        if not page.found:
            raise Unavailable("the item's page answers 404")
        on_clue(wire.page_clue(page.body, item_id))
        return wire.page_item(page.body, item_id, now=clock.at_least(now))

    return await session.ask(read)


async def get_embedded_item(
    item_id: str,
    session: Session,
    *,
    clock: SiteClock,
    is_story: bool,
    now: datetime | None = None,
    on_clue: OnClue = lambda _: None,
) -> Story:
    """A story or post from its embed, which holds less. Raises what wire.embed_item does.

    is_story: True when its link said so; the embed does not. on_clue: called with what the
    embed tells beside the item, also when it does not show it.
    """

    async def read() -> Story:
        page = await session.get_page(endpoints.item_embed(item_id))
        if not page.found:
            raise Unavailable("the item's embed answers 404")
        on_clue(wire.embed_clue(page.body, item_id))
        moment = clock.at_least(now)
        return wire.embed_item(page.body, item_id, now=moment, is_story=is_story)

    return await session.ask(read)


async def get_author_name(
    item_id: str, session: Session, *, owner: str | None = None
) -> str | None:
    """The name of an item's author, by oEmbed, which gives no id; None for no such item.

    owner: the name in the item's link, None without one. Raises Unavailable, UpstreamChanged,
    and what Session.get_page does.
    """
    link = f"{SITE}@{owner or '_'}/video/{item_id}"
    address = endpoints.oembed(link)
    try:
        page = await session.ask(partial(session.get_page, address, Purpose.LIST))
    except UpstreamChanged as error:
        if error.status != _BAD_REQUEST:
            raise
        return None
    if not page.found:
        raise Unavailable("oEmbed answers 404")
    return wire.oembed_author_name(page.body)

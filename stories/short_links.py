"""Short links: the redirects they lead through, to the target they stand for."""

from __future__ import annotations

import logging
import re
from functools import partial
from urllib.parse import parse_qs, urlsplit, urlunsplit

from stories.errors import Challenged, DeadShortLink, InputError, Refused, UpstreamChanged
from stories.hosts import is_link_host
from stories.http.addresses import MAX_REDIRECTS, is_login_page
from stories.http.headers import Purpose
from stories.http.session import Page, Session, login_wall
from stories.links import is_app_advert, parse_redirect, parse_url
from stories.structures import Target, TargetKind

logger = logging.getLogger(__name__)

_SHORT_HOSTS = frozenset({"vm.tiktok.com", "vt.tiktok.com"})
# The home page in any language, and the page for what is not found.
_NOWHERE = re.compile(
    r"/*(?:[a-z]{2}(?:[-_][a-z]{2,4}){0,2}(?![^/])/*)?(?:404|not-?found)?/*", re.IGNORECASE
)


async def expand_short_link(target: Target, session: Session) -> Target:
    """The target that a short link leads to.

    Raises Advert, DeadShortLink, LoginRequired, NotUnderstood, UnsupportedLink, UpstreamChanged.
    """
    url = target.short_url or ""
    for _ in range(MAX_REDIRECTS):
        location = await _next_hop(url, session)
        if _is_nowhere(location):
            raise DeadShortLink("it leads to the home page, or to no page")
        parts = urlsplit(location)
        if parts.netloc in _SHORT_HOSTS and parts.path.startswith("/@"):
            location = urlunsplit(parts._replace(netloc="www.tiktok.com"))
        expanded = parse_redirect(location)
        if expanded.kind is not TargetKind.SHORT:
            return expanded
        url = expanded.short_url or ""
    raise DeadShortLink(f"more than {MAX_REDIRECTS} redirects")


async def _next_hop(url: str, session: Session) -> str:
    """The address that one step of a short link redirects to."""
    # A messenger's preview gets a plain redirect; should it be turned away, a browser is not. Nor
    # is a link dead because a preview is sent home: live ones are, too, from some networks.
    try:
        page = await session.get_page(url, Purpose.PREVIEW, follow=False)
    except (Challenged, Refused) as error:
        logger.info("a short link is kept from a preview: %s %s", error.code, error.detail)
        page = None
    target = None if page is None else _behind_login(page)
    if target is not None:
        return target
    if page is None or _leads_nowhere(page):
        page = await session.ask(partial(_navigate_short_link, url, session))
    target = _behind_login(page)
    if target is not None:
        return target
    if not page.found:
        raise DeadShortLink("status 404")
    if page.location is None:
        raise UpstreamChanged("the short link is answered by a page instead of a redirect")
    return page.location


async def _navigate_short_link(url: str, session: Session) -> Page:
    """The answer that a browser gets to a short link. Raises LoginRequired."""
    page = await session.get_page(url, Purpose.NAVIGATE, follow=False)
    if page.location is not None and _is_login_page(page.location) and not _behind_login(page):
        raise login_wall("the short link")
    return page


def _leads_nowhere(page: Page) -> bool:
    """Whether a preview was kept from where a short link leads, or is told that it is dead."""
    location = page.location
    return location is None or _is_login_page(location) or _is_nowhere(location)


def _is_nowhere(location: str) -> bool:
    """Whether a redirect leads where dead links do: home, or to no page."""
    parts = urlsplit(location)
    is_home = is_link_host(parts.netloc) and _NOWHERE.fullmatch(parts.path) is not None
    return is_home and not is_app_advert(location)


def _behind_login(page: Page) -> str | None:
    """The link that a sign-in page would lead on to, when it names an account or an item."""
    if page.location is None or not _is_login_page(page.location):
        return None
    for url in parse_qs(urlsplit(page.location).query).get("redirect_url", []):
        try:
            target = parse_url(url)
        except InputError:
            continue
        if target.kind is not TargetKind.SHORT:
            return url
    return None


def _is_login_page(location: str) -> bool:
    return is_link_host(urlsplit(location).netloc) and is_login_page(location)

"""The pages that name an account: its profile page, and its embed where that is kept from us."""

from __future__ import annotations

import logging

from stories import endpoints, wire
from stories.errors import (
    AgeRestricted,
    NoSuchAccount,
    PrivateAccount,
    RateLimited,
    StoriesError,
    Unavailable,
    UpstreamChanged,
    UpstreamDown,
)
from stories.http.session import Session
from stories.structures import Author, Target, TargetKind
from stories.verdict import weightiest

logger = logging.getLogger(__name__)

_NOT_FOUND = 404


async def find_author(target: Target, session: Session) -> Author:
    """The account a target names, private or not.

    Raises NoSuchAccount, PrivateAccount, and the weightier of the errors that kept both pages from
    us.
    """
    try:
        return await _get_profile(target, session)
    except (AgeRestricted, NoSuchAccount, PrivateAccount, RateLimited):
        raise
    except StoriesError as profile_error:
        if _is_404(profile_error):
            return await _despite_404(target, session)
        # The page is kept from us, which says nothing about the account: the embed is served
        # without a challenge more often than not, and while the page has a fault.
        if target.name is None or _is_silent(profile_error):
            raise
        try:
            return await _get_embed(target.name, session)
        except (NoSuchAccount, PrivateAccount, RateLimited):
            raise
        except StoriesError as embed_error:
            logger.info("embed failed too: %s %s", embed_error.code, embed_error.detail)
            raise weightiest(profile_error, embed_error) from embed_error


def _is_404(error: StoriesError) -> bool:
    return isinstance(error, UpstreamChanged) and error.status == _NOT_FOUND


async def _despite_404(target: Target, session: Session) -> Author:
    """The account by its embed, whose profile page answers 404.

    Of an account that is not there the page says so in words as a rule: where the embed answers 404
    too, it is the addresses that changed. Raises NoSuchAccount when the embed does not contradict.
    """
    missing = NoSuchAccount("the profile page answers 404")
    if target.name is None:
        raise missing
    try:
        return await _get_embed(target.name, session)
    except Unavailable as error:
        raise missing from error
    except UpstreamChanged as error:
        if not _is_404(error):
            raise
        raise UpstreamChanged("profile page and embed answer 404", status=_NOT_FOUND) from error


def _is_silent(error: StoriesError) -> bool:
    """Whether a site does not answer at all, or asks to be left alone: it is not asked twice."""
    return isinstance(error, UpstreamDown) and (not error.answered or bool(error.retry_after_s))


async def _get_profile(target: Target, session: Session) -> Author:
    owner = Target(
        kind=TargetKind.USER,
        name=target.name,
        user_id=target.user_id,
        sec_uid=target.sec_uid,
    )

    async def read() -> Author:
        page = await session.get_page(endpoints.profile(owner))
        if not page.found:
            raise UpstreamChanged("the profile page answers 404", status=_NOT_FOUND)
        return wire.profile_author(page.body, owner)

    return await session.ask(read)


async def _get_embed(name: str, session: Session) -> Author:
    async def read() -> Author:
        page = await session.get_page(endpoints.profile_embed(name))
        if not page.found:
            raise UpstreamChanged("the embed answers 404", status=_NOT_FOUND)
        return wire.embed_author(page.body, name)

    return await session.ask(read)

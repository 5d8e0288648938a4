"""Lookup of the stories behind a target: which way is asked, and when the next one is.

The cheapest way first. The next one only where TikTok kept the answer from us, or sent what cannot
be read: a mechanism that differs in kind is often served then. Never where it answered, asked us to
slow down, or could not be reached: that is the same for every way. Waiting and trying again later
is the queue's business.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from stories.account_lookup import OnAuthor
from stories.browser_carrier import BrowserCarrier
from stories.carrier_way import CarrierWay, DirectCarrier
from stories.client import StoryClient
from stories.errors import (
    AccessError,
    HeldBack,
    HintedStory,
    InputError,
    LoginRequired,
    RateLimited,
    Refusal,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)
from stories.structures import Author, Target, TargetKind
from stories.ways import (
    LookupResult,
    Question,
    Readiness,
    Way,
    WayBusy,
    WayDeclined,
    WayFailed,
    WaySpent,
)

logger = logging.getLogger(__name__)

_OF_ONE_ITEM: Final = frozenset({TargetKind.STORY, TargetKind.POST})


def ways_of(client: StoryClient) -> tuple[Way, ...]:
    """The ways a client has, cheapest first."""
    ways: list[Way] = [CarrierWay(client, DirectCarrier(client))]
    if client.browser is not None:
        ways.append(CarrierWay(client, BrowserCarrier(client, client.browser)))
    helper = client.helper()
    if helper is not None:
        # Imported here: without a helper nothing of it is.
        from stories.helper_way import HelperWay

        ways.append(HelperWay(client, helper))
    return tuple(ways)


async def look_up(
    client: StoryClient,
    target: Target,
    *,
    posts: bool = False,
    now: datetime | None = None,
    fresh: bool = False,
    known: Author | None = None,
    on_author: OnAuthor = lambda _: None,
    ways: Sequence[Way] | None = None,
) -> LookupResult:
    """Find the stories a target asks for; none, for an account, is an answer.

    posts: accept an ordinary post too. now: aware, decides what is active. fresh: ignore a cached
    account. known: the target's account, looked up before: its list is asked for and its profile
    is not. on_author: called once, as soon as the author is certain. ways: cheapest first; those
    of the client by default. Raises StoriesError; where a list was read and handed on nothing, the
    error is in the result, beside what was left out. A Refusal is raised only where no way that
    could be asked brought an answer.
    """
    told: list[Author] = []

    def tell_once(author: Author) -> None:
        if not told:
            told.append(author)
            on_author(author)

    question = Question(
        posts=posts,
        now=now or datetime.now(UTC),
        fresh=fresh,
        on_author=tell_once,
        known=known,
    )
    chosen = tuple(ways if ways is not None else ways_of(client))
    return await _Run(client=client, ways=chosen, target=target, question=question).find()


def leads_on(error: StoriesError) -> bool:
    """Whether another way may be spared an error: TikTok kept the answer from this one."""
    if isinstance(error, RateLimited):
        return False
    if isinstance(error, Refusal):
        return not error.unasked
    if isinstance(error, LoginRequired):
        return error.by_redirect
    return isinstance(error, UpstreamChanged | HeldBack)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What a way that kept the answer from us brought.

    place: of the way, cheapest first. result: beside the error, where a list was read.
    """

    way: Way
    place: int
    error: StoriesError
    result: LookupResult | None = None


@dataclass(slots=True, kw_only=True)
class _Run:
    """One look-up over the ways.

    ways: cheapest first. target: what is known of it by now. author_is_certain: TikTok itself named
    its author. kept: what came of the ways that were asked in vain. unready: why the others were
    not, and the seconds until the first of them can be. is_busy: one that works was held by others.
    """

    client: StoryClient
    ways: tuple[Way, ...]
    target: Target
    question: Question
    author_is_certain: bool = False
    kept: list[_Kept] = field(default_factory=list)
    unready: list[Readiness] = field(default_factory=list)
    is_busy: bool = False

    async def find(self) -> LookupResult:
        """The result of the first way that brings one. Raises what look_up does."""
        order = await self._in_order()
        for place, way in enumerate(order):
            result = await self._ask_if_ready(way)
            if result is None:
                continue
            if _is_doubted(result):
                result = await self._second_opinion(way, result, order[place + 1 :])
            if result.refusal is not None and not isinstance(result.refusal, RateLimited):
                result.refusal.alone = await _is_any_ready(order[place + 1 :])
            return result
        return await self._give_up()

    async def _in_order(self) -> tuple[Way, ...]:
        """The ways that are on: those that rest after the others."""
        if len(self.ways) == 1:
            return self.ways
        memory = self.client.way_memory
        off, resting = await memory.switched_off(), await memory.resting()
        on = [way for way in self.ways if way.name not in off]
        return tuple(sorted(on, key=lambda way: way.name in resting))

    async def _ask_if_ready(self, way: Way) -> LookupResult | None:
        """The result of a way, an answer of TikTok's; None where there is none.

        Raises the StoriesError that ends the look-up.
        """
        readiness = await way.ready()
        if not readiness.ok:
            logger.info("%s cannot be asked: %s", way.name, readiness.reason)
            self.unready.append(readiness)
            if readiness.wait_s is None:
                await self.client.way_memory.not_ready(way.name, readiness.reason)
            return None
        try:
            result = await self._ask(way, self.question)
        except WayFailed as failure:
            await self._note_failed(way, failure)
            is_spent = isinstance(failure, WaySpent)
            reason = f"{way.name} {failure if is_spent else 'failed'}"
            self.unready.append(Readiness(ok=False, reason=reason, is_spent=is_spent))
            self.is_busy = self.is_busy or isinstance(failure, WayBusy)
            return None
        except StoriesError as error:
            if not leads_on(error):
                if _is_answer(error):
                    await self._note_served(way)
                raise
            self.kept.append(self._kept(way, error))
            return None
        if result.error is not None and leads_on(result.error):
            self.kept.append(self._kept(way, result.error, result))
            return None
        await self._note_served(way)
        return result

    async def _ask(self, way: Way, question: Question) -> LookupResult:
        async with way.visit() as visit:
            if self.target.kind is TargetKind.SHORT:
                self.target = await visit.expand(self.target)
                self.author_is_certain = self.target.name is not None
            if self.target.kind in _OF_ONE_ITEM:
                return await visit.item(
                    self.target, question, author_is_certain=self.author_is_certain
                )
            return await visit.listing(self.target, question)

    # --- what a list without stories is worth -------------------------------------------------

    async def _second_opinion(
        self, first: Way, result: LookupResult, others: Sequence[Way]
    ) -> LookupResult:
        """What one more look says of an account whose list is empty, and is doubted.

        It is believed where it brings stories, where the profile says that there is none any more,
        and where it is a browser's, whose list is what every visitor gets, and speaks: one whose
        fields have other names says nothing.
        """
        logger.info("%s lists no story, which is doubted", first.name)
        for way in others:
            if not (await way.ready()).ok:
                continue
            opinion = await self._opinion(way, other_served=True)
            break
        else:
            way, opinion = first, await self._opinion(first, other_served=False)
        if opinion is not None:
            settles = way.decisive and opinion.explicit
            if settles or not _is_doubted(opinion):
                return opinion
        doubt = HintedStory("the profile speaks of a story, and the list is empty")
        return replace(result, error=doubt)

    async def _opinion(self, way: Way, *, other_served: bool) -> LookupResult | None:
        """The result of another look; None where it brings nothing, or no more than silence.

        other_served: another way brought the answer that is doubted.
        """
        try:
            result = await self._ask(way, replace(self.question, fresh=True))
        except WayFailed as failure:
            await self._note_failed(way, failure)
            return None
        except StoriesError as error:
            if not leads_on(error):
                raise
            # At once: nobody asks again, and a way that is dead must not hide behind this one.
            await self._note_refused(self._kept(way, error), other_served=other_served)
            return None
        if result.error is not None and leads_on(result.error):
            kept = self._kept(way, result.error, result)
            await self._note_refused(kept, other_served=other_served)
            return None
        await self._note_served(way)
        silent = not result.stories and result.author.story_hint is None
        if silent and not (way.decisive and result.explicit):
            return None
        return result

    # --- what is kept from us -----------------------------------------------------------------

    def _kept(self, way: Way, error: StoriesError, result: LookupResult | None = None) -> _Kept:
        logger.info("%s is kept from the answer: %s %s", way.name, error.code, error.detail)
        return _Kept(way=way, place=self.ways.index(way), error=error, result=result)

    async def _give_up(self) -> LookupResult:
        """The outcome when no way brought an answer: that of the cheapest one, however late it was
        asked. Raises its error.

        A refusal, for which the whole instance pauses, gives way to what a way says that was not
        refused: that the list of this one account is held back.
        """
        for kept in self.kept:
            await self._note_refused(kept, other_served=False)
        if not self.kept:
            reasons = "; ".join(readiness.reason for readiness in self.unready)
            waits = [each.wait_s for each in self.unready if each.wait_s is not None]
            error = UpstreamDown(
                f"no way of asking is ready: {reasons or 'all are switched off'}",
                retry_after_s=min(waits, default=None),
            )
            error.untried = self.is_busy or any(each.is_spent for each in self.unready)
            raise error
        cheapest = min(self.kept, key=lambda kept: kept.place)
        if isinstance(cheapest.error, Refusal):
            told = [kept for kept in self.kept if isinstance(kept.error, HeldBack)]
            cheapest = min(told, key=lambda kept: kept.place, default=cheapest)
        if isinstance(cheapest.error, Refusal):
            cheapest.error.alone = self.is_busy
        if cheapest.result is not None:
            return cheapest.result
        raise cheapest.error

    async def _note_served(self, way: Way) -> None:
        await self.client.way_memory.served(way.name)
        for kept in self.kept:
            await self._note_refused(kept, other_served=True)
        self.kept.clear()

    async def _note_failed(self, way: Way, failure: WayFailed) -> None:
        if isinstance(failure, WayDeclined):
            logger.info("%s does not do this: %s", way.name, failure)
            return
        logger.warning("%s failed: %s", way.name, failure)
        await self.client.way_memory.failed(way.name, str(failure))

    async def _note_refused(self, kept: _Kept, *, other_served: bool) -> None:
        # One odd account or page is no reason to leave a way alone for all the others.
        rests = other_served and isinstance(kept.error, Refusal)
        memory = self.client.way_memory
        await memory.refused(kept.way.name, kept.error.code, rests=rests)


async def _is_any_ready(ways: Sequence[Way]) -> bool:
    for way in ways:
        if (await way.ready()).ok:
            return True
    return False


def _is_doubted(result: LookupResult) -> bool:
    """Whether a list without stories is of an account whose own profile speaks of one."""
    whole = not result.stories and result.error is None and not result.left_out
    return whole and result.author.story_hint is True


def _is_answer(error: StoriesError) -> bool:
    """Whether an error is what TikTok says of what was asked for."""
    return isinstance(error, AccessError | InputError)

"""The verdict on what no answer brought: the error that all answers add up to. Pure.

Where answers disagree, the order is:

1. what an answer says of the item for certain: withheld, private, of another region, deleted, or
   listed without its files for now;
2. what several answers agree on. "Gone" is final, so it takes more than one page that says so;
3. what the item's own page says, if only that there is nothing for us;
4. when its page is kept from us, whatever turned us away or failed, as `weightiest` orders it: a
   refusal before a fault that passes, and that before an answer that cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass

from stories.errors import (
    AccessError,
    Gone,
    NoSuchAccount,
    NotAStory,
    PrivateAccount,
    RateLimited,
    Refusal,
    RegionLocked,
    StoriesError,
    Unavailable,
    UpstreamChanged,
    UpstreamError,
)


def weightiest(first: StoriesError, *others: StoriesError | None) -> StoriesError:
    """The error to report of several sources of one thing, none of which brought it.

    An answer of the first one stands. Else a request to slow down comes first, then a refusal:
    both mean "wait", for the whole instance. Then what may work later, then what is final; of
    equals the first. Answers of the others are left to the caller to weigh.
    """
    if isinstance(first, AccessError):
        return first
    kept = [error for error in others if isinstance(error, UpstreamError)]
    return min((first, *kept), key=_weight)


def _weight(error: StoriesError) -> int:
    """The place of an error among those of other sources, 0 first."""
    if isinstance(error, RateLimited):
        return 0
    if isinstance(error, Refusal):
        return 1
    return 2 if error.retryable else 3


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Everything that TikTok's answers said of one item, none of which brought it.

    is_story: its link or an answer says that it is a story. posts: an ordinary post is wanted, too.
    day_is_over: it was posted more than a day ago. page_error, embed_error, oembed_error: of its
    own page, its embed and oEmbed; None when not asked. list_error: the reason there is no list of
    its author. left_out: the reason its author's list names it and does not have it.
    list_is_partial: a list was read, and not to its end, or it holds no story and is doubted.
    absent: a whole list is without it.
    author_is_certain: TikTok itself named the author of that list; a name in a pasted link proves
    nothing. embed_shows: its embed shows it, which does not tell a story from an ordinary post.
    exists: an answer knows the item; False when oEmbed says that there is none.
    """

    is_story: bool
    posts: bool = False
    day_is_over: bool = False
    author_is_certain: bool = False
    page_error: StoriesError | None = None
    embed_error: StoriesError | None = None
    oembed_error: StoriesError | None = None
    list_error: StoriesError | None = None
    left_out: StoriesError | None = None
    list_is_partial: bool = False
    absent: bool = False
    embed_shows: bool = False
    exists: bool | None = None

    @property
    def page_denies(self) -> bool:
        """The item's page says that there is no such item, or none for us, and no more."""
        page = self.page_error
        if isinstance(page, Unavailable):
            return not page.withheld
        return isinstance(page, Gone) and not page.proven

    @property
    def list_denies(self) -> bool:
        """A whole list is without it, and what is wanted would be there: an ordinary post is in no
        list of stories."""
        return self.absent and (self.is_story or not self.posts)

    @property
    def may_be_listed(self) -> bool:
        """Its author's list may hold it, in a part that is kept from us."""
        held_back = self.list_error is not None and self.list_error.retryable
        return held_back or self.list_is_partial


def verdict(evidence: Evidence) -> StoriesError:
    """The error that says most about the item, in the order this module begins with."""
    page = evidence.page_error or Unavailable("no answer brought it")
    embed = evidence.embed_error
    for answer in (page, embed):
        if isinstance(answer, Unavailable) and answer.withheld:
            over = evidence.is_story and evidence.day_is_over
            return Gone("its time ended while TikTok withheld it") if over else answer
    if isinstance(page, AccessError) and not evidence.page_denies:
        return page
    if isinstance(embed, RegionLocked) or (isinstance(embed, Gone) and embed.proven):
        return embed
    if evidence.left_out is not None:
        listed = evidence.left_out
        return listed if listed.retryable else _kept_back(listed, page, evidence)
    denied = evidence.exists is False or (evidence.page_denies and evidence.exists is None)
    if denied and isinstance(evidence.list_error, PrivateAccount):
        return evidence.list_error
    if evidence.page_denies:
        return _denied(evidence, page)
    if isinstance(page, UpstreamError) and evidence.exists is not True:
        day_is_over = evidence.is_story and evidence.day_is_over
        if evidence.list_denies and (evidence.author_is_certain or day_is_over):
            return Gone("not among the author's active stories, and its page is kept from us")
        agreed = evidence.list_denies or isinstance(embed, Unavailable)
        if evidence.exists is False and agreed and not evidence.may_be_listed:
            return Gone("neither oEmbed nor another answer knows it; its page is kept from us")
    return _kept_back(page, evidence.list_error, evidence)


def _denied(evidence: Evidence, page: StoriesError) -> StoriesError:
    """The error of an item whose page says that there is none."""
    if evidence.embed_shows and evidence.absent and not evidence.is_story:
        return NotAStory("its embed shows it, and its author's list is without it")
    no_story_now = evidence.is_story or (evidence.absent and not evidence.posts)
    if evidence.day_is_over and no_story_now:
        return Gone("more than 24 hours old, and TikTok does not show it")
    if evidence.exists:
        # Withheld here, as from a region; "gone" would be final, and wrong.
        return Unavailable(f"its page denies it, and another answer knows it; {page.detail}")
    if evidence.exists is False:
        return Gone("neither its page nor oEmbed knows it")
    if evidence.list_denies and evidence.author_is_certain:
        return Gone("not among the author's active stories")
    if isinstance(evidence.list_error, NoSuchAccount):
        return evidence.list_error
    if isinstance(evidence.list_error, UpstreamChanged) and evidence.list_error.status == 404:
        return evidence.list_error  # no page is where it was: what this one says is nothing either
    if isinstance(page, Gone) and evidence.may_be_listed:
        return Unavailable(f"its author's list may hold it, and is kept from us; {page.detail}")
    return page


def _kept_back(error: StoriesError, other: StoriesError | None, evidence: Evidence) -> StoriesError:
    """The error of an item that was not brought and is not denied.

    other: stands in for what is final when a retry may help, be it an answer.
    """
    found = weightiest(error, other, evidence.embed_error, evidence.oembed_error)
    return other if other is not None and other.retryable and not found.retryable else found

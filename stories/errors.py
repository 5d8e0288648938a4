"""Every failure we expect, as one tree. Rows keep the code; the words are looked up here.

    StoriesError
    ├── InputError            the line itself: NotUnderstood, UnsupportedLink, NotAStory,
    │                         DeadShortLink, Advert
    ├── AccessError           TikTok shows it to fewer people than everyone: NoSuchAccount,
    │                         PrivateAccount, PrivatePost, LoginRequired, AgeRestricted,
    │                         RegionLocked, Gone, Unavailable
    ├── UpstreamError         TikTok's side: UpstreamDown with HeldBack, HintedStory and
    │   │                     GatedList, TimedOut, ClockWrong, UnknownAnswer,
    │   │                     UpstreamChanged with UnknownMediaHost
    │   └── Refusal           … is turning this server away: Challenged, Refused, RateLimited
    └── MediaError            the file: MediaUnavailable, MediaCorrupt, SoundMissing, TooLarge,
                              Unplayable

Detection follows docs/protocol.md, "Errors". Patience lives in the queue: nothing here sleeps.
"""

from __future__ import annotations

from typing import ClassVar


class StoriesError(Exception):
    """Root of every failure we expect. The class says what; `detail` says where.

    code: stable, stored, shown by the API. message: what happened, for the person who pasted the
    link. hint: what they can try; shown while the queue tries again by itself and after it gave
    up, so it must be true in both. retryable: may the same request succeed later without anyone
    changing anything? retry_after_s: seconds until that is worth trying, None when not known.
    detail: for logs and admin; holds no cookies and no signed URLs. nothing_to_save: nothing was
    asked for that could be saved, so that nothing failed. untried: True where nobody was asked, as
    every way that works is busy or has done what it may for now: no try is used up.
    """

    code: ClassVar[str]
    message: ClassVar[str]
    hint: ClassVar[str] = ""
    retryable: ClassVar[bool] = False
    nothing_to_save: ClassVar[bool] = False
    untried = False

    def __init__(self, detail: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(detail or self.message)
        self.detail = detail
        self.retry_after_s = retry_after_s

    def when_final(self) -> StoriesError:
        """The error to keep when it is not tried again any more."""
        return self


class InputError(StoriesError):
    """The line is not something we can save, whatever TikTok says."""


class NotUnderstood(InputError):
    code = "not_understood"
    message = "This is not a TikTok name or link."
    hint = "Paste a name like @name, a profile link, or a story's link from its Share button."


class UnsupportedLink(InputError):
    """A tag, sound, live, shop or another site. `detail` names what it is."""

    code = "unsupported_link"
    message = "This link is not a profile or a story."
    hint = "Paste the account's name or the story's own link."


class NotAStory(InputError):
    code = "not_a_story"
    message = "This is an ordinary post, not a story."
    hint = "You can save it anyway."


class DeadShortLink(InputError):
    code = "dead_short_link"
    message = "This short link no longer works."
    hint = "Copy it again in the app, or paste the account's name."


class Advert(InputError):
    """A short link to where the app is offered, as TikTok Lite adds it to what it shares."""

    code = "advert"
    message = "This is an ad for the app, not a story."
    hint = "TikTok Lite adds it when you share. The story has its own link."
    nothing_to_save = True


class AccessError(StoriesError):
    """TikTok answers, and the answer is that this is not for everyone."""


class NoSuchAccount(AccessError):
    code = "no_such_account"
    message = "This account does not exist or was removed."
    hint = "Check the spelling: it is the name after the @."


class PrivateAccount(AccessError):
    code = "private_account"
    message = "This account is private."
    hint = "Only public stories can be saved."


class PrivatePost(AccessError):
    code = "private_post"
    message = "This post is private."
    hint = "Only public stories and posts can be saved."


class LoginRequired(AccessError):
    """by_redirect: True where a page led to the sign-in page, which may be this server's own
    trouble; False where an answer says it of what was asked for."""

    code = "login_required"
    message = "TikTok asks for a sign-in."
    hint = "Storykeep never signs in, so this cannot be saved."

    def __init__(
        self, detail: str = "", *, retry_after_s: float | None = None, by_redirect: bool = False
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.by_redirect = by_redirect


class AgeRestricted(AccessError):
    code = "age_restricted"
    message = "TikTok shows this to signed-in adults only."
    hint = "Storykeep never signs in, so this cannot be saved."


class RegionLocked(AccessError):
    code = "region_locked"
    message = "TikTok does not show this in the server's country."
    hint = "An admin can set a proxy in another country."


class Gone(AccessError):
    """proven: False when one page alone says that there is no such item: another may have it."""

    code = "gone"
    message = "This story has expired or was deleted."
    hint = "Stories last 24 hours. After that they are gone for every tool."

    def __init__(
        self, detail: str = "", *, retry_after_s: float | None = None, proven: bool = True
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.proven = proven


class Unavailable(AccessError):
    """withheld: True when TikTok says that it has the item and shows it to nobody for now."""

    code = "unavailable"
    message = "TikTok says this does not exist, or not in the server's country."
    hint = "Check that the link still opens in the app. A later attempt may work."
    retryable = True

    def __init__(
        self, detail: str = "", *, retry_after_s: float | None = None, withheld: bool = False
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.withheld = withheld


class UpstreamError(StoriesError):
    """TikTok's side of the line, or the network on the way."""

    retryable = True


class UpstreamDown(UpstreamError):
    """answered: True for an answer that tells a fault, False where none came."""

    code = "upstream_down"
    message = "TikTok is not answering."
    hint = "This usually passes in minutes. If not, check the server's connection."

    def __init__(
        self, detail: str = "", *, retry_after_s: float | None = None, answered: bool = False
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.answered = answered


class HeldBack(UpstreamDown):
    """A list that breaks off or is shorter than TikTok counts, and holds no story."""


class HintedStory(HeldBack):
    """A list without stories, of an account whose profile speaks of one: the page may be old, or
    the list is kept from us."""

    code = "list_held_back"
    message = "TikTok lists no story here, but the profile says that there is one."
    hint = (
        "The story may just have ended. While it is still in the app, a later attempt may show it."
    )


class GatedList(HeldBack):
    """A list that is an empty answer, under every identity and with all that we can send along."""

    code = "list_gated"
    message = "TikTok does not show the list of stories to this server."
    hint = (
        "A story's own link may still work. If this lasts, an admin can switch on another way of "
        "asking."
    )


class TimedOut(UpstreamError):
    code = "timed_out"
    message = "This took too long."
    hint = "A later attempt may be faster. On a slow connection, send fewer links at once."


class ClockWrong(UpstreamError):
    """A certificate that is not valid yet, or not any more, by this server's clock."""

    code = "clock_wrong"
    message = "TikTok cannot be reached: this server's clock seems to be wrong."
    hint = "An admin can have it set over the network (NTP)."


class UnknownAnswer(UpstreamError):
    """A code of TikTok's that we do not know. Such faults pass, so it is not yet a change."""

    code = "unknown_answer"
    message = "TikTok sent an answer that Storykeep does not know."
    hint = "This usually passes in minutes. If not, Storykeep needs an update."

    def when_final(self) -> StoriesError:
        return UpstreamChanged(self.detail)


class UpstreamChanged(UpstreamError):
    """An answer we cannot read. `detail` names the missing path, or the code that stays unknown.

    status: the HTTP status that nobody expected; None where the answer itself was odd.
    """

    code = "upstream_changed"
    message = "TikTok changed something. Storykeep needs an update."
    hint = "Tell your admin. The details are on the admin pages."
    retryable = False

    def __init__(
        self, detail: str = "", *, retry_after_s: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.status = status


class UnknownMediaHost(UpstreamChanged):
    """A file on hosts that are on no list of ours.

    hosts: their plain DNS names. detail: names them where nothing else is said.
    """

    def __init__(self, detail: str = "", *, hosts: tuple[str, ...] = ()) -> None:
        super().__init__(detail or f"unknown media host: {', '.join(hosts)}")
        self.hosts = hosts


class Refusal(UpstreamError):
    """TikTok turns this server away, whoever asks: the whole instance should pause.

    unasked: True for one that stands for a request that was not sent, as this instance pauses.
    alone: True where another way of asking is on that was not refused: the line waits by itself.
    """

    unasked = False
    alone = False


class Challenged(Refusal):
    code = "challenged"
    message = "TikTok is checking this server."
    hint = "This usually passes in minutes. If it lasts for hours, another network or proxy helps."


class Refused(Refusal):
    """gated: True for an empty answer that says so: of this way of asking, not of this server."""

    gated = False
    code = "refused"
    message = "TikTok is refusing this server right now."
    hint = "This usually passes in minutes. If it lasts for hours, another network or proxy helps."


class RateLimited(Refusal):
    code = "rate_limited"
    message = "TikTok is asking us to slow down."
    hint = "This usually passes in minutes. Fewer links at once help."


class MediaError(StoriesError):
    """The story is there; its file is the trouble."""


class MediaUnavailable(MediaError):
    code = "media_unavailable"
    message = "TikTok would not hand over this file."
    hint = "Trying again later often works."
    retryable = True


class SoundMissing(MediaError):
    """A file is saved without the sound that TikTok has, or without the sound as its own file."""

    code = "sound_missing"
    message = "TikTok would not hand over the sound."
    hint = "The rest is saved. Trying again later often brings the sound, too."
    retryable = True


class MediaCorrupt(MediaError):
    code = "media_corrupt"
    message = "The file arrived damaged, so we did not keep it."
    hint = "Trying again later often works."
    retryable = True


class TooLarge(MediaError):
    code = "too_large"
    message = "This is larger than allowed here."
    hint = "An admin can raise the limit."


class Unplayable(MediaError):
    """Only codecs that no player opens. `detail` names them."""

    code = "unplayable"
    message = "TikTok offers this only in a format that no player opens."
    hint = "It plays in the app only. A saved copy would be of no use."

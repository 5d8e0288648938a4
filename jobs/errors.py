"""Errors of this instance, as branches of the tree in `stories.errors`, and rules about codes.

StoriesError
├── (everything in stories.errors)
├── OurLimit: QuotaExceeded (NeverFits), BatchTooLong, TooManyDownloads, DiskFull
│   └── DiskFault: NoSpaceLeft, StorageUnavailable
├── HiddenName, SeveralAccounts (of InputError)
├── Expired, Damaged, NothingToPack, Busy, CannotWrite
├── IdempotencyMismatch, IdempotencyInProgress
├── Cancelled
└── Internal: WorkerLost
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import uuid4

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.states import SHORT, ItemState
from stories.errors import InputError, Refusal, StoriesError, UnsupportedLink
from stories.links import UNSUPPORTED_LINKS


class OurLimit(StoriesError):
    """This instance's own limit, not TikTok's."""


class QuotaExceeded(OurLimit):
    """One user's limit. said, hint_said: message and hint in the reader's language, where the
    error knows more than its code says."""

    code = "quota_exceeded"
    message = "You have reached your limit."
    hint = "Wait until running links finish or files expire, or delete some files now."
    retryable = True

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after_s: float | None = None,
        said: str = "",
        hint_said: str = "",
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.said, self.hint_said = said, hint_said


class NeverFits(QuotaExceeded):
    """More at once than the limit itself allows: the same request is refused tomorrow, too."""

    retryable = False


class BatchTooLong(OurLimit):
    code = "batch_too_long"
    message = "Too many lines for one job."
    hint = "Split the list and send it in parts."

    def __init__(self, count: int = 0, limit: int = 0) -> None:
        super().__init__(f"{count} lines; one job holds at most {limit}" if limit else "")
        self.count, self.limit = count, limit

    def said(self) -> str:
        """The message with both numbers, in the reader's language."""
        holds = ngettext(
            "One job holds at most %(limit)d line.",
            "One job holds at most %(limit)d lines.",
            self.limit,
        ) % {"limit": self.limit}
        return f"{holds} {_('You sent %(count)d.') % {'count': self.count}}"


class DiskFull(OurLimit):
    code = "disk_full"
    message = "There is no room for more files right now."
    hint = "Files expire on their own and make room. Deleting some helps at once."
    retryable = True


class DiskFault(DiskFull):
    """A fault of the disk itself, not a limit of ours: what meets it waits until it is over."""


class NoSpaceLeft(DiskFault):
    """The file system takes no more bytes or files, whatever this instance's own limits say."""


class StorageUnavailable(DiskFault):
    """The disk for saved files is read-only, broken, away, or not ours. `detail` says which."""

    code = "storage_unavailable"
    message = "The server's disk for saved files cannot be used right now."
    hint = "This goes on by itself once it can. Tell your admin if it lasts."


class TooManyDownloads(OurLimit):
    code = "too_many_downloads"
    message = "Too many downloads at once."
    hint = "Try again when one of them has finished."
    retryable = True


class WatchingOff(OurLimit):
    """Nobody may watch accounts on this instance, or this person may not."""

    code = "watching_off"
    message = "Watching accounts is not switched on for you."
    hint = "An admin can allow it."


class HiddenName(InputError):
    """A link that says whom it leads to only once TikTok is asked, where nobody asks."""

    code = "hidden_name"
    message = "This link hides the account's name."
    hint = "Paste the account's @name instead."


class SeveralAccounts(InputError):
    """Several names or links, where one is wanted."""

    code = "several_accounts"
    message = "Watch one account at a time."
    hint = "Begin with one, then add the next."


class Expired(StoriesError):
    """The file was saved here and has been deleted."""

    code = "expired"
    message = "Our copy of this file was deleted."
    hint = "Fetch it again while it is still on TikTok."


class Damaged(StoriesError):
    """The disk has not kept the file as it was saved."""

    code = "damaged"
    message = "Our copy of this file was damaged on the disk."
    hint = "Fetch it again while it is still on TikTok."


class NothingToPack(StoriesError):
    code = "nothing_to_pack"
    message = "There are no files for a ZIP."
    hint = "Wait until something is saved, or fetch deleted files again."


class IdempotencyMismatch(StoriesError):
    """An idempotency key came a second time, with another request."""

    code = "idempotency_mismatch"
    message = "This Idempotency-Key was already used for another request."
    hint = "Use a new key for each request. Repeat a key only to repeat the same request."


class IdempotencyInProgress(StoriesError):
    """An idempotency key came a second time while its first request was still being taken."""

    code = "idempotency_in_progress"
    message = "The first request with this Idempotency-Key is still in progress."
    hint = "Send it again in a moment: the answer is the same job."
    retryable = True


class Busy(StoriesError):
    """The database is locked by something else, or away: nothing was done."""

    code = "busy"
    message = "Something else is using the database, perhaps a backup."
    hint = "Nothing was changed. Try again in a few seconds."
    retryable = True


class CannotWrite(StoriesError):
    """The database's disk is full, or read-only, or fails: nothing was done."""

    code = "cannot_write"
    message = (
        "The server cannot save anything right now: its disk is full, or cannot be written to."
    )
    hint = "Nothing was changed, and saved files can still be opened. An admin has to make room."
    retryable = True


class Cancelled(StoriesError):
    code = "cancelled"
    message = "Cancelled. What was saved stays until it expires."


class Internal(StoriesError):
    """A bug of ours. `detail` is an id to quote, never a traceback."""

    code = "internal"
    message = "Something went wrong on our side."
    hint = "Try again. If it keeps happening, give your admin the error id."
    retryable = True


class WorkerLost(Internal):
    """A line or ZIP with which worker after worker died. `detail` is an id, as a bug's."""

    code = "worker_lost"
    message = "Storykeep crashed each time it tried this."
    hint = "It may need more memory than the server has. Tell your admin: the log has the error id."


def _tree(root: type[StoriesError]) -> Iterator[type[StoriesError]]:
    for branch in root.__subclasses__():
        if "code" in vars(branch):
            yield branch
        yield from _tree(branch)


BY_CODE: Final[dict[str, type[StoriesError]]] = {cls.code: cls for cls in _tree(StoriesError)}
"""Public code -> its class. Rows keep the code; the words are looked up here."""


def is_refusal(code: str) -> bool:
    """Whether a stored code means that TikTok turns this server away."""
    return issubclass(BY_CODE.get(code, Internal), Refusal)


def is_skipped(state: str, code: str) -> bool:
    """Whether a line failed only because what was pasted cannot be saved at all.

    Pages call that skipped: nothing went wrong, here or at TikTok. Its state stays `failed`.
    """
    return state == ItemState.FAILED and issubclass(BY_CODE.get(code, Internal), InputError)


def retry_may_help(state: str, code: str) -> bool:
    """Whether another attempt at a line may bring what is missing.

    Only a line that settled short of what was asked for, and only when its error may pass. A line
    without a code, or with one of another version, is given the benefit of the doubt.
    """
    return state in SHORT and (not code or BY_CODE.get(code, Internal).retryable)


DISK_CODES: Final = frozenset({DiskFull.code, StorageUnavailable.code})
"""Codes with which a queued line waits for the disk, and not for TikTok."""
BUG_CODES: Final = frozenset({Internal.code, WorkerLost.code})
"""Codes whose detail is an id to quote."""
REFUSAL_CODES: Final = tuple(sorted(filter(is_refusal, BY_CODE)))
SKIPPED_CODES: Final = tuple(sorted(code for code in BY_CODE if is_skipped(ItemState.FAILED, code)))
"""Codes with which a failed line counts as skipped, for queries."""
FINAL_CODES: Final = tuple(
    sorted(code for code in BY_CODE if not retry_may_help(ItemState.FAILED, code))
)
"""Codes of errors that another attempt cannot help, for queries."""


def error_to_name(errors: Iterable[StoriesError]) -> StoriesError | None:
    """Of the errors of what is missing the one to show: the first that may pass, else the first."""
    return min(errors, key=lambda error: not error.retryable, default=None)


def new_bug_id() -> str:
    """An id for one occurrence of a bug: logged, stored as `Internal.detail`, and quoted."""
    return uuid4().hex[:8]


def message_and_hint(code: str, detail: str = "") -> tuple[str, str]:
    """The message and hint for a stored code, in the reader's language.

    detail: the stored one; of a refused link it says what the link is, and so does the message.
    """
    cls = BY_CODE.get(code, Internal)
    message = refused_link(detail) if cls is UnsupportedLink else ""
    return message or _(cls.message), _(cls.hint) if cls.hint else ""


def refused_link(detail: str) -> str:
    """`This is a hashtag page, not a story.`, in the reader's language.

    detail: of an UnsupportedLink; "" where it does not tell what the link is.
    """
    if detail.partition(" (")[0] not in UNSUPPORTED_LINKS:
        return ""
    return _("This is %(thing)s, not a story.") % {"thing": localized_detail(detail)}


def state_label(state: str, code: str = "") -> str:
    """The words for a line's state, in the reader's language. code: of its error, "" for none.

    A line that is empty for a reason did not ask for an account's stories.
    """
    if is_skipped(state, code):
        return _("skipped")
    if state == ItemState.EMPTY and code:
        return _("nothing to save")
    return str(ItemState(state).label)


def localized_detail(detail: str) -> str:
    """The detail of a refused link in the reader's language; any other detail unchanged."""
    thing, bracket, name = detail.partition(" (")
    return f"{_(thing)}{bracket}{name}" if thing in UNSUPPORTED_LINKS else detail


def explain(error: StoriesError) -> tuple[str, str]:
    """The message and hint for an error, in the reader's language.

    An error at hand may know more than its stored code does: which limit, how many lines.
    """
    message, hint = message_and_hint(error.code, error.detail)
    if isinstance(error, QuotaExceeded):
        return error.said or message, error.hint_said or hint
    if isinstance(error, BatchTooLong) and error.limit:
        return error.said(), hint
    return message, hint

"""Messages in words, in the language of whoever reads them, with or without names.

Facts by kind: SAVED and FOUND {count, authors, failed}; FAILED {authors, why: an English message of
`jobs.errors`}; WATCH_ENDED {author, why: "private", "gone" or "lapsed"}; WATCH_RENAMED {old, new};
WATCH_RENEW_SOON {author, until}; WATCH_HOLE {author, since, until}; REFUSED {since}; DISK {};
BACKUP {}; TEST {way}. Times are RFC 3339. A fact that is missing makes a sentence shorter, never an
error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from notices.kinds import Kind
from notices.models import Message

MAX_LINES: Final = 8
"""Messages that are told of one by one in a batch."""
_MAX_NAMES: Final = 3
_MAX_TITLE: Final = 120
_MAX_LINE: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What is read. title: one line. body: lines, "" for none."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    names: bool
    zone: tzinfo
    now: datetime

    def until(self, at: datetime) -> str:
        """`18:00`, or `Monday, 18:00`, on the reader's clock."""
        local, today = at.astimezone(self.zone), self.now.astimezone(self.zone)
        if local.date() == today.date():
            return formats.date_format(local, "H:i")
        if abs(at - self.now) < timedelta(days=6):
            return formats.date_format(local, "l, H:i")
        return formats.date_format(local, "j M, H:i")

    def author(self, facts: Mapping[str, Any], name: str = "author") -> str:
        """`@name`; "a watched account" where names are not said."""
        author = facts.get(name)
        return f"@{author}" if self.names and author else _("a watched account")

    def authors(self, facts: Mapping[str, Any]) -> str:
        """`@a, @b and 3 more`; "" where names are not said."""
        authors = [str(name) for name in facts.get("authors") or () if name]
        if not self.names or not authors:
            return ""
        said = ", ".join(f"@{name}" for name in authors[:_MAX_NAMES])
        more = len(authors) - _MAX_NAMES
        return _("%(names)s and %(n)d more") % {"names": said, "n": more} if more > 0 else said

    def moment(self, facts: Mapping[str, Any], name: str) -> str:
        """A time among the facts, as `until`; "?" for none."""
        try:
            return self.until(datetime.fromisoformat(str(facts.get(name))))
        except ValueError:
            return "?"


def write(
    messages: Sequence[Message], *, names: bool, language: str, zone: tzinfo, now: datetime
) -> Text:
    """The text of a batch. names: whether accounts are named. language: "" = the site's own. zone:
    of the reader's clock. messages: one or more."""
    reader = _Reader(names=names, zone=zone, now=now)
    known = translation.check_for_language(language) if language else False
    with translation.override(language if known else "en"), timezone.override(zone):
        texts = [_one(message, reader) for message in messages]
        if len(texts) == 1:
            return texts[0]
        lines = [f"{text.title}{_dash(text.body)}"[:_MAX_LINE] for text in texts[:MAX_LINES]]
        if len(texts) > MAX_LINES:
            more = len(texts) - MAX_LINES
            lines.append(ngettext("%(n)d more", "%(n)d more", more) % {"n": more})
        title = ngettext("%(n)d message", "%(n)d messages", len(texts)) % {"n": len(texts)}
        return Text(title=title, body="\n".join(lines))


def _dash(body: str) -> str:
    return f" – {body}" if body else ""


def _one(message: Message, reader: _Reader) -> Text:
    facts = message.facts if isinstance(message.facts, dict) else {}
    title, body = _SENTENCES[Kind(message.kind)](message, facts, reader)
    return Text(title=title[:_MAX_TITLE], body=body[:_MAX_LINE])


_Sentences = tuple[str, str]


def _count(facts: Mapping[str, Any], name: str = "count") -> int:
    value = facts.get(name)
    return value if isinstance(value, int) else 0


def _kept(message: Message, reader: _Reader) -> str:
    if message.kept_until is None:
        return ""
    said = _("Kept until %s.") if message.kept_until > reader.now else _("Was kept until %s.")
    return said % reader.until(message.kept_until)


def _missing(facts: Mapping[str, Any]) -> str:
    failed = _count(facts, "failed")
    if not failed:
        return ""
    said = ngettext("%(n)d line failed: try again.", "%(n)d lines failed: try again.", failed)
    return " " + said % {"n": failed}


def _saved(message: Message, facts: Mapping[str, Any], reader: _Reader) -> _Sentences:
    count, authors = _count(facts), reader.authors(facts)
    if authors:
        said = ngettext("%(n)d file saved from %(who)s", "%(n)d files saved from %(who)s", count)
    else:
        said = ngettext("%(n)d file saved", "%(n)d files saved", count)
    return said % {"n": count, "who": authors}, f"{_kept(message, reader)}{_missing(facts)}".strip()


def _found(message: Message, facts: Mapping[str, Any], reader: _Reader) -> _Sentences:
    count = _count(facts)
    who = reader.authors(facts) or pgettext("new from", "a watched account")
    said = ngettext("%(n)d new from %(who)s", "%(n)d new from %(who)s", count)
    return said % {"n": count, "who": who}, f"{_kept(message, reader)}{_missing(facts)}".strip()


def _failed(_message: Message, facts: Mapping[str, Any], reader: _Reader) -> _Sentences:
    authors, why = reader.authors(facts), str(facts.get("why") or "")
    title = _("%s could not be saved") % authors if authors else _("Something could not be saved")
    return title, f"{_(why) if why else ''} {_('Try again while it is on TikTok.')}".strip()


def _watch_ended(_message: Message, facts: Mapping[str, Any], reader: _Reader) -> _Sentences:
    said = {
        "private": _("The account is private now."),
        "gone": _("The account no longer exists."),
        "lapsed": _("It was not renewed for 30 days."),
    }
    title = _("No longer watching %s") % reader.author(facts)
    return title, said.get(str(facts.get("why")), "")


def _watch_renamed(_message: Message, facts: Mapping[str, Any], reader: _Reader) -> _Sentences:
    if not reader.names:
        return _("A watched account has a new name"), _("Watching goes on.")
    names = {"old": reader.author(facts, "old"), "new": reader.author(facts, "new")}
    return _("%(old)s is %(new)s now") % names, _("Watching goes on.")


def _watch_renew_soon(_message: Message, facts: Mapping[str, Any], reader: _Reader) -> _Sentences:
    title = _("Watching %s ends soon") % reader.author(facts)
    return title, _("Renew it by %s.") % reader.moment(facts, "until")


def _watch_hole(_message: Message, facts: Mapping[str, Any], reader: _Reader) -> _Sentences:
    times = {"since": reader.moment(facts, "since"), "until": reader.moment(facts, "until")}
    title = _("%s: not covered for a while") % reader.author(facts)
    return title, _("From %(since)s to %(until)s.") % times


def _refused(_message: Message, facts: Mapping[str, Any], reader: _Reader) -> _Sentences:
    title = _("TikTok has refused this server for over an hour")
    return title, _("Since %s. Storykeep goes on trying.") % reader.moment(facts, "since")


def _disk(_message: Message, _facts: Mapping[str, Any], _reader: _Reader) -> _Sentences:
    return _("The disk is almost full"), _("Nothing new is saved once it is.")


def _backup(_message: Message, _facts: Mapping[str, Any], _reader: _Reader) -> _Sentences:
    return _("The daily backup failed"), _("The page of problems says why.")


def _test(_message: Message, _facts: Mapping[str, Any], _reader: _Reader) -> _Sentences:
    return _("It works"), _("Messages from Storykeep arrive here.")


_SENTENCES: Final[Mapping[Kind, Callable[[Message, Mapping[str, Any], _Reader], _Sentences]]] = {
    Kind.SAVED: _saved,
    Kind.FOUND: _found,
    Kind.FAILED: _failed,
    Kind.WATCH_ENDED: _watch_ended,
    Kind.WATCH_RENAMED: _watch_renamed,
    Kind.WATCH_RENEW_SOON: _watch_renew_soon,
    Kind.WATCH_HOLE: _watch_hole,
    Kind.REFUSED: _refused,
    Kind.DISK: _disk,
    Kind.BACKUP: _backup,
    Kind.TEST: _test,
}

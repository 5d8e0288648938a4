"""Targets in pasted prose: the lines of a text, and the one target that each line asks for.

Pure and network-free, so that a page can classify while someone types. docs/protocol.md lists the
forms; stories/links.py reads the single link or name. Only an InputError is raised, and every
expression here is linear in its text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta

from stories.errors import Advert, InputError, NotUnderstood
from stories.links import (
    COMBINING_MARKS,
    decoded,
    is_app_advert,
    is_name,
    is_tiktok_link,
    parse_account,
    parse_link,
    refuse_bare_host,
)
from stories.structures import Target

MAX_LINE = 20_000
_MAX_SHARE_LINES = 6

# Invisible on a screen, and pasted along from chats and right-to-left text.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
# Full-width punctuation ends a link, which its ASCII form would not. Not in "https：／／".
_FULL_WIDTH_END = re.compile("[，！；？）]|：(?![/／])")
# Where a link starts in running text: at a scheme, or at a host with something after it. The rest
# is taken whole, so that a link carried inside another link's query is never mistaken for it. It
# ends at what stands between a link and its words: "|" in a messenger, "](" in Markdown.
_LINK = re.compile(
    r"(?:(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]{0,30}://"
    r"|(?<![\w@./:%=&?#+\-])(?=[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+(?:[/?#@]|:[0-9])))"
    r"(?:[!#-;=?-\[\\^_a-z~]|\](?!\())+"
)
# A link that was percent-encoded as a whole, as some phones' shortcuts do; not one inside another
# link's query. The host, without a scheme, has to be TikTok's.
_ENCODED_LINK = re.compile(
    r"(?<![\w@./:%=&?#+\-])(?:https?%(?:25){0,3}3A%(?:25){0,3}2F"
    r"|(?:[a-z0-9\-]{1,63}\.)?tiktokv?\.com%(?:25){0,3}2F)[!-~]*",
    re.IGNORECASE,
)
_NO_SCHEME = re.compile(r"(?<![\w@./:%=&?#+\-])//(?=[A-Za-z0-9])")
# Letters no name has are taken along, so that "@zoë" is refused rather than read as "@zo"; so is
# what goes on as a path does: "@aa/../bb" is not "@aa".
_MENTION = re.compile(
    rf"(?<![\w.@/:%=&?#+\-])@([\w.\-{COMBINING_MARKS}]{{2,80}})"
    rf"(?![\w.\-{COMBINING_MARKS}]|[/\\%]\S)"
)
# "https:www.tiktok.com" and "https:/www.tiktok.com", as a slip of the finger leaves them.
_LOST_SLASHES = re.compile(
    r"(?<![\w@./:%=&?#+\-])(https?):/?(?=(?:[a-z0-9\-]{1,63}\.){0,3}tiktokv?\.[a-z]{2,3}(?![\w.]))",
    re.IGNORECASE,
)
# As links are written in JSON and in programs.
_ESCAPED = re.compile(r"\\u00(26|2f|3d|3f)", re.IGNORECASE)
_ESCAPED_END = re.compile(r"(?:\\[nrt]?)+\Z")
_QUOTES = "\"'“”‘’«»„*~|()[]{}<>`"
_EDGES = _QUOTES + "_"
_TRAILING = ".,;:!?…。、，！？：；" + _QUOTES.replace("~", "")
_MAX_QUOTE_LAYERS = 4
_NAME_LIKE = re.compile(r"[A-Za-z0-9@]")
_LIST_MARK = re.compile(r"[\-*+•·–—>]|\(?[0-9]{1,3}[.):]?")
# A comma inside a link belongs to the link, unless what follows starts a new entry.
_SEPARATORS = re.compile(r"[\s,;、]+")
_SEPARATORS_BESIDE_LINKS = re.compile(r"(?:\s|[,;、](?=\s|@|https?://|$))+")
_COMMAS = re.compile(r"[,;、]")
_COMMAS_BESIDE_LINKS = re.compile(r"[,;、](?=\s|@|https?://|$)")


def find_lines(text: str) -> list[str]:
    """The lines to parse in pasted text, in order; blank lines are left out.

    A share text is one line, also when the app broke it into several. A line of several names or
    links, "@a @b, @c", is several. A sentence that mentions names with "@" gives each of them. A
    sentence with none of these stays one line, for parse_line to refuse.
    """
    lines = [line for line in (_normalized(line) for line in text.splitlines()) if line]
    if _is_one_share_text(lines):
        return [" ".join(lines)]
    return [part for line in lines for part in _split_line(line)]


def parse_line(text: str, *, now: datetime | None = None) -> Target:
    """The target of one line: a name, a link, or the text around the first TikTok link.

    now: aware; when given, an id that claims to be posted more than a day later than this is
    refused as mistyped. Raises NotUnderstood, Advert where the first link is one to the app and no
    other is TikTok's, or UnsupportedLink whose `detail` says in words what the link is instead ("a
    hashtag page", "another site (example.com)").
    """
    if len(text) > MAX_LINE:
        raise NotUnderstood("the line is too long")
    line = _normalized(text)
    if not line:
        raise NotUnderstood("the line is empty")
    target = _from_word(line) if _is_one_word(line) else _from_prose(line)
    if now is not None and target.item_id is not None:
        posted_s = int(target.item_id) >> 32
        if posted_s > (now + timedelta(days=1)).timestamp():
            raise NotUnderstood("the id in this link is mistyped: its date lies in the future")
    return target


def _normalized(text: str) -> str:
    """The text in NFKC form, without invisible characters and outer spaces, its links decoded."""
    text = _plain_letters(text)
    if _ENCODED_LINK.search(text):
        text = _ENCODED_LINK.sub(lambda link: " ".join(decoded(link[0]).split()), text)
        text = _plain_letters(text)
    text = _ESCAPED.sub(lambda escaped: chr(int(escaped[1], 16)), text)
    text = _LOST_SLASHES.sub(r"\1://", text)
    return _NO_SCHEME.sub("https://", text).strip()


def _plain_letters(text: str) -> str:
    if text.isascii():
        return text
    text = _FULL_WIDTH_END.sub(r"\g<0> ", text)
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


# --- several lines ----------------------------------------------------------------------------


def _is_one_word(line: str) -> bool:
    return len(line.split(None, 1)) == 1


def _is_one_share_text(lines: list[str]) -> bool:
    """True for one link with lines of prose around it, which may mention one name.

    A link that is refused makes no share text: it and the lines around it each get their own
    refusal.
    """
    if not 1 < len(lines) <= _MAX_SHARE_LINES:
        return False
    with_link = [line for line in lines if _has_link(line)]
    others = [line for line in lines if not _has_link(line)]
    return (
        len(with_link) == 1
        and len(_split_line(with_link[0])) == 1
        and all(map(_is_prose, others))
        and sum(len(set(_MENTION.findall(line))) for line in others) <= 1
        and _is_understood(" ".join(lines))
    )


def _is_understood(line: str) -> bool:
    try:
        parse_line(line)
    except InputError:
        return False
    return True


def _has_link(line: str) -> bool:
    return any(not _is_advert(link[0]) for link in _LINK.finditer(line))


def _is_advert(link: str) -> bool:
    return is_app_advert(link.rstrip(_TRAILING))


def _is_prose(line: str) -> bool:
    """True for a line that is neither a name nor a list of names; its only links are adverts.

    Of single words only those are prose that nobody means as a name, not even a mistyped one.
    """
    if _LINK.search(line):
        return True
    words = [word for word in line.split() if not _LIST_MARK.fullmatch(word)]
    if len(words) == 1:
        word = words[0].strip(_EDGES).rstrip(_TRAILING)
        return word.startswith("#") or word.lower() == "tiktok" or not _NAME_LIKE.search(word)
    return not _entries(" ".join(words))


def _split_line(line: str) -> list[str]:
    entries = _entries(line)
    if not entries and _LINK.search(line) is None:
        mentions = [mention.rstrip(".-") for mention in _MENTION.findall(line)]
        return [f"@{mention}" for mention in dict.fromkeys(mentions)] or [line]
    return entries or [line]


def _entries(line: str) -> list[str]:
    """The words of a line that is nothing but names and links; [] for any other line.

    Names alone do not make one, as any words could be names: one of them is marked, or the only.
    """
    has_link = _LINK.search(line) is not None
    separators = _SEPARATORS_BESIDE_LINKS if has_link else _SEPARATORS
    words = [word for word in separators.split(line) if word]
    if len(words) < 2 or all(map(_is_marked, words)):
        return words
    commas = _COMMAS_BESIDE_LINKS if has_link else _COMMAS
    pieces = [piece for piece in map(str.strip, commas.split(line)) if piece]
    if any(map(_is_marked, pieces)) and all(_is_marked(p) or is_name(p) for p in pieces):
        return pieces
    return []


def _is_marked(word: str) -> bool:
    """True for a word that is plainly a name or a link: it starts with "@", or is a whole link."""
    bare = word.strip(_EDGES)
    if bare.startswith(("@", "%40")):
        return _MENTION.fullmatch("@" + bare.removeprefix("%40").removeprefix("@")) is not None
    return _LINK.fullmatch(bare) is not None


# --- one line ---------------------------------------------------------------------------------


def _from_word(word: str) -> Target:
    for candidate in (word, word.rstrip(_TRAILING), *_unquoted(word)):
        refuse_bare_host(candidate.lower())
        name = candidate[3:] if candidate[:3] == "%40" else candidate.removeprefix("@")
        account = parse_account(name)
        if account is not None:
            return account
    return _from_prose(word)


def _unquoted(word: str) -> Iterator[str]:
    """The word without quotes and emphasis, layer by layer.

    `_` is emphasis too, but also a part of names: it goes only where it stands on both sides, or
    before an "@", and only after the word with it turned out to be no name.
    """
    for _ in range(_MAX_QUOTE_LAYERS):
        word = word.strip(_QUOTES).rstrip(_TRAILING)
        yield word
        if word[:1] != "_":
            return
        if word[-1] == "_":
            word = word[1:-1]
        elif word[1:2] == "@":
            word = word[1:]
        else:
            return


def _from_prose(line: str) -> Target:
    """The first TikTok link in the line; else the refusal of its first link; else a mention."""
    refusal: InputError | None = None
    for match in _LINK.finditer(line):
        link = _ESCAPED_END.sub("", match[0].rstrip(_TRAILING))
        try:
            return parse_link(link, following=line[match.end() : match.end() + 1])
        except InputError as error:
            is_advert = _is_advert(link)
            if is_tiktok_link(link) and not is_advert:
                raise
            refusal = refusal or (Advert("the app is offered there") if is_advert else error)
    if refusal is not None:
        raise refusal
    for mention in _MENTION.findall(line):
        account = parse_account(mention.rstrip(".-"))
        if account is not None:
            return account
    raise NotUnderstood

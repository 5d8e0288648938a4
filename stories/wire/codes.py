"""Status codes: the number in an answer, the words beside it, and the error that both mean.

The words say more than the number where they are known: 10204 alone may be a deleted item, a
private one, or one that another region can see. docs/protocol.md, "Codes", lists both.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from stories.errors import (
    AgeRestricted,
    Challenged,
    Gone,
    LoginRequired,
    NoSuchAccount,
    PrivateAccount,
    PrivatePost,
    RateLimited,
    Refusal,
    Refused,
    RegionLocked,
    StoriesError,
    Unavailable,
    UnknownAnswer,
    UpstreamChanged,
    UpstreamDown,
)
from stories.protocol.current import current
from stories.protocol.floor import CodeName
from stories.protocol.pack import CodeTable
from stories.wire.values import Raw, as_int, as_text

MakeError = Callable[[str], StoriesError]

MAX_WORDS: Final = 300

_LARGEST_CODE = 10**9
_NUMBERS = ("statusCode", "status_code")
_EMBED_NUMBERS = ("code", "customErrorCode", *_NUMBERS)
_WORDS = ("statusMsg", "status_msg", "statusMessage")


_MEANINGS: Final[Mapping[CodeName, MakeError]] = {
    "absent": partial(Gone, proven=False),
    "age_restricted": AgeRestricted,
    "challenged": Challenged,
    "gone": Gone,
    "login_required": LoginRequired,
    "no_such_account": NoSuchAccount,
    "private_account": PrivateAccount,
    "private_post": PrivatePost,
    "rate_limited": RateLimited,
    "refused": Refused,
    "region_locked": RegionLocked,
    "unavailable": Unavailable,
    "upstream_changed": UpstreamChanged,
    "upstream_down": partial(UpstreamDown, answered=True),
    "withheld": partial(Unavailable, withheld=True),
}
"""What a pack calls the meaning of an answer -> the error it is."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The meaning of codes and words in answers about one kind of thing, in the pack in use."""

    table: Callable[[], CodeTable]

    @property
    def numbers(self) -> Mapping[int, MakeError]:
        """Code -> error."""
        return {number: _MEANINGS[name] for number, name in self.table().numbers.items()}

    @property
    def words(self) -> Mapping[str, MakeError]:
        """How a word of a message begins, in letters and digits alone -> error."""
        return {word: _MEANINGS[name] for word, name in self.table().words.items()}

    def error_of_number(self, number: int, detail: str) -> StoriesError | None:
        """The error, with this detail, that a code means; None for one that is not known."""
        name = self.table().numbers.get(number)
        return None if name is None else _MEANINGS[name](detail)

    def error_of_words(self, text: str, detail: str) -> StoriesError | None:
        """The error, with this detail, that the known words of a message mean; None without any.

        Of several known words in one message the one that stands first in the pack decides.
        """
        plain = unicodedata.normalize("NFKC", html.unescape(_ESCAPED_AND.sub("&", text)))
        parts = [_letters(part) for part in _BETWEEN_WORDS.split(plain)]
        for known, name in self.table().words.items():
            if any(part.startswith(known) for part in parts):
                return _MEANINGS[name](detail)
        return None


CODES = Codes(lambda: current().codes.accounts)
"""Codes of answers about an account: its profile page, its embed, its story list."""
ITEM_CODES = Codes(lambda: current().codes.items)
"""Codes of answers about one item: its own page and its embed."""

# Told by the number for certain, whatever words stand beside it.
_TOLD_APART = (PrivateAccount, PrivatePost, RegionLocked)
# Words of a fault of theirs that passes by itself, whatever the number.
_PASSING = re.compile(
    r"rpc|timed?[\s_-]?out|deadline|try again|internal (?:server )?error|server error"
    r"|service (?:is )?(?:busy|unavailable)|temporar|overload|connection (?:reset|refused)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,30}:/{1,2}\S*|//\S+|\S*\?\S*=\S*")
_BETWEEN_WORDS = re.compile("[&,;|]")
# What is left of it in JSON within JSON, and in an address.
_ESCAPED_AND = re.compile(r"\\u0026|%26", re.IGNORECASE)
_NUMERIC = re.compile(r"[+-]?[0-9]{1,400}(?:\.[0-9]{1,20})?")
_WHOLE = re.compile(r"(?<=[0-9])\.0{1,20}\Z")
_NOT_A_LETTER = re.compile(r"[^a-z0-9]+")


def check_code(answer: Raw, codes: Codes) -> int | None:
    """Raise for any code but 0, in either spelling. Returns 0, or None without any code."""
    values = [answer[key] for key in _NUMBERS if _is_given(answer.get(key))]
    values = values or [answer[key] for key in ("code",) if _is_given(answer.get(key))]
    words = message(answer)
    for value in values:
        if _number(value) != 0:
            raise code_error(value, codes, words)
    return 0 if values else None


def check_embed_code(answers: Iterable[Raw], codes: Codes) -> None:
    """Raise for a code in an embed's own words: of HTTP's numbers 200 is fine, of TikTok's 0."""
    for answer in answers:
        words = message(answer)
        for value in (answer[key] for key in _EMBED_NUMBERS if _is_given(answer.get(key))):
            if _number(value) in {0, 200}:
                continue
            if _number(value) in {403, 404, 410} and codes.error_of_words(words, "") is None:
                raise Unavailable(_detail(value, words))
            if _number(value) in range(500, 600):
                raise UpstreamDown(_detail(value, words), answered=True)
            raise code_error(value, codes, words)


def code_error(value: object, codes: Codes, words: str = "") -> StoriesError:
    """The error that a code other than 0 and the words beside it mean.

    value: as the answer holds it. Neither of them known: UpstreamDown where the words speak of a
    fault that passes, else UnknownAnswer; UpstreamChanged for what is no number.
    """
    number = _number(value)
    detail = _detail(value, words)
    if number is None and not _is_numeric(value):
        return codes.error_of_words(words, detail) or UpstreamChanged("statusCode is not a number")
    by_number = codes.error_of_number(number, detail) if number is not None else None
    if isinstance(by_number, Refusal | LoginRequired):
        return by_number
    by_words = codes.error_of_words(words, detail)
    if by_words is not None:
        return by_words
    if _PASSING.search(words) and not isinstance(by_number, _TOLD_APART):
        return UpstreamDown(detail, answered=True)
    return by_number or UnknownAnswer(f"unknown {detail}")


def says_story(answer: Raw) -> bool:
    """True when the code says that the item is a story."""
    known = current().codes.is_a_story
    return any(_number(answer.get(key)) in known for key in _NUMBERS)


def message(answer: Raw) -> str:
    """The words beside a code, in every spelling they come in, joined by `&`."""
    texts = (as_text(answer.get(key), MAX_WORDS, one_line=True) for key in _WORDS)
    return "&".join(dict.fromkeys(filter(None, texts)))


def kept_words(text: str) -> str:
    """Of a message only what is read, or is a plain code: nothing that may name anybody.

    Means the same error as the whole message does. "" for a message without such words.
    """
    kept = []
    text = as_text(text, MAX_WORDS, one_line=True)
    plain = unicodedata.normalize("NFKC", html.unescape(_ESCAPED_AND.sub("&", text)))
    for part in _BETWEEN_WORDS.split(plain):
        letters = _letters(part)
        known = [word for word in (*ITEM_CODES.words, *CODES.words) if letters.startswith(word)]
        passing = _PASSING.search(part)
        if known:
            kept.append(max(known, key=len))
        if passing:
            kept.append(passing[0].lower())
        if not known and not passing and part.strip():
            kept.append(part.strip() if _PLAIN_CODE.fullmatch(part.strip()) else "(words)")
    return "&".join(dict.fromkeys(kept))


# Of the kind that is known, for any other words may be somebody's name.
_PLAIN_CODE = re.compile(
    r"(?=.{3,40}\Z)(?:status|author|content|person|copyright|cross|item|video|photo|user|account"
    r"|story|region|age|rpc|invalid|internal|server)(?:_[a-z]+)+"
)


def _is_given(value: object) -> bool:
    return value is not None and value != ""


def _number(value: object) -> int | None:
    """A code as a number, also from a text; None for anything else."""
    text = value
    if isinstance(value, str):
        text = _WHOLE.sub("", value.strip().removeprefix("+"))
    return as_int(text, least=-_LARGEST_CODE, most=_LARGEST_CODE)


def _is_numeric(value: object) -> bool:
    """Whether a value is a number of any size, also written as a text."""
    if isinstance(value, str):
        return _NUMERIC.fullmatch(value.strip()) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _detail(value: object, words: str) -> str:
    number = _number(value)
    shown = number if number is not None else "out of bounds"
    cleaned = _clean(words)
    return f"code {shown}: {cleaned}" if cleaned else f"code {shown}"


def _clean(text: str) -> str:
    """A message fit for an error's detail: short, and without addresses, which may be signed."""
    return _ADDRESS.sub("(address)", text)[:160].strip()


def _letters(text: str) -> str:
    """A word of a message in one spelling: its letters and digits alone, in lower case."""
    return _NOT_A_LETTER.sub("", text.casefold())

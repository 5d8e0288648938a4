"""JSON in a sample: the same keys, types and lengths of lists; of values only what we read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from stories.links import is_name
from stories.neutral.addresses import neutral_address, neutral_path
from stories.neutral.substitutes import Substitutes, is_digits
from stories.wire.codes import kept_words

MAX_DEPTH: Final = 30
MAX_VALUES: Final = 60_000
"""Values of one answer that go into a sample; what comes after is left empty."""
MAX_LIST: Final = 12
"""Entries of a list that we do not read from which on it is cut, where they look alike."""
MAX_KEYS: Final = 400
MAX_NESTED: Final = 20_000
"""Characters of JSON within a text, at most."""

_NAMES: Final = frozenset({"uniqueId", "unique_id", "author_unique_id", "authorUniqueId"})
_WORDS: Final = frozenset({"statusMsg", "status_msg", "statusMessage"})
_CODES: Final = frozenset({"statusCode", "status_code", "code", "customErrorCode"})
_KEPT_NUMBERS: Final = frozenset(
    {
        *("width", "height", "Width", "Height", "imageWidth", "imageHeight", "duration"),
        *("bitrate", "Bitrate", "DataSize", "Size", "size", "FPS", "TotalCount", "total"),
        *("QualityType", "MvMaf"),
    }
)
_CURSORS: Final = frozenset({"MaxCursor", "MinCursor", "cursor"})
_FORMS: Final = frozenset(
    {
        *("Format", "format", "CodecType", "codecType", "definition", "ratio", "VideoQuality"),
        "GearName",
    }
)
"""Keys whose text is one word out of few."""
_ADDRESSES: Final = frozenset(
    {
        *("UrlList", "urlList", "url_list", "MainUrl", "BackupUrl", "FallbackUrl", "mainUrl"),
        *("backupUrl", "fallbackUrl", "src", "playAddr", "downloadAddr", "playUrl", "urls"),
        *("PlayAddr", "PlayAddrStruct", "imageURL", "display_image", "displayImage"),
        *("avatarLarger", "avatarMedium", "avatarThumb", "avatarThumbUrl"),
    }
)
"""Keys of media files: an unknown host there is TikTok's, not somebody's own."""
_READ_LISTS: Final = _ADDRESSES | {
    *("itemList", "bitrateInfo", "bitrateAudioInfo", "images", "displayImages"),
}
_VOCABULARY: Final = (
    _READ_LISTS | _NAMES | _WORDS | _CODES | _KEPT_NUMBERS | _CURSORS | _FORMS
) | {
    *("id", "author", "video", "music", "story", "stats", "extra", "now", "user", "text", "link"),
    *("title", "desc", "data", "source", "page", "route", "query", "secret", "signature", "items"),
    *("nickname", "verified", "takedown", "challenges", "original", "private", "cover", "covers"),
}
"""Keys that stay although somebody may have such a name."""
# With a dot in it a key may be an account's name, but for those of the page's own parts.
_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]{0,63}|(?:webapp|seo)(?:\.[a-z-]{1,30}){1,4}")
_FORM = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_SEC_UID = re.compile(r"MS4wLjABAAAA[A-Za-z0-9_-]{32,64}")
_NUMERIC = re.compile(r"\s*[+-]?[0-9]{1,400}(?:\.[0-9]{1,20})?\s*")
_GEAR_MARK = re.compile(r"_(?:h264|bytevc1|bytevc2)_(?:[0-9]{3,4}p_)?(?:[0-9]{1,9}\Z)?")
_SIMPLE: Final = frozenset({"true", "false", "0", "1"})


class NeutralJson:
    """Makes JSON of one answer neutral; of one use. subs: shared by the answers of a recording."""

    def __init__(self, subs: Substitutes) -> None:
        self._subs = subs
        self._left = MAX_VALUES

    def learn_names(self, value: Any) -> None:
        """Note every account name, so that it is known wherever else it stands."""
        level, left = [value], MAX_VALUES * 4
        while level and left > 0:
            below: list[Any] = []
            for node in level:
                left -= 1
                if isinstance(node, dict):
                    for key in _NAMES & node.keys():
                        if isinstance(node[key], str) and is_name(node[key]):
                            self._subs.name(node[key])
                    below.extend(node.values())
                elif isinstance(node, list):
                    below.extend(node)
            level = [node for node in below if isinstance(node, dict | list)]

    def value(self, value: Any, key: str = "", depth: int = 0) -> Any:
        """A JSON value under this key."""
        self._left -= 1
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, list):
            return self._list(value, key, depth)
        if isinstance(value, str):
            return self._text(value, key, depth)
        if isinstance(value, bool) or value is None:
            return value
        return self._number(value, key)

    # --- containers ---------------------------------------------------------------------------

    def _object(self, value: Mapping[str, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, inner in list(value.items())[:MAX_KEYS]:
            if self._left <= 0 or depth >= MAX_DEPTH:
                break
            made[self._key(key, inner)] = self.value(inner, key, depth + 1)
        return made

    def _key(self, key: str, inner: Any) -> str:
        known = self._subs.known_name(key)
        is_of_account = isinstance(inner, dict) and bool(_NAMES & inner.keys())
        if known is not None and (is_of_account or key not in _VOCABULARY):
            return known
        if _KEY.fullmatch(key):
            return key
        if key.startswith("/"):
            return neutral_path(key, self._subs)
        if is_digits(key):
            return str(self._subs.number(int(key), is_id=True))
        return self._subs.token(key)

    def _list(self, value: list[Any], key: str, depth: int) -> list[Any]:
        if depth >= MAX_DEPTH:
            return []
        entries = value
        if len(value) > MAX_LIST and key not in _READ_LISTS:
            entries = list({_shape(entry): entry for entry in reversed(value)}.values())
            entries = entries[::-1][:MAX_LIST]
        return [self.value(entry, key, depth + 1) for entry in entries if self._left > 0]

    # --- values -------------------------------------------------------------------------------

    def _number(self, number: Any, key: str) -> Any:
        if key in _CODES or key in _KEPT_NUMBERS:
            return number
        if isinstance(number, float):
            return 2.0 if number.is_integer() else 2.5
        if key in _CURSORS and number < 10**9:
            return number
        return self._subs.number(number, is_id=_is_id_key(key))

    def _text(self, text: str, key: str, depth: int) -> str:
        if not text.strip():
            return text[:8]
        if text.strip().lower() in _SIMPLE:
            return text if len(text) <= 8 else text.strip()
        if key in _WORDS:
            return self._words(text)
        if _NUMERIC.fullmatch(text):
            return self._digits(text, key)
        nested = self._nested(text, depth)
        if nested is not None:
            return nested
        return self._word(text, key) or _placeholder(text)

    def _words(self, text: str) -> str:
        words = kept_words(text).split("&")
        return "&".join(self._subs.known_name(word) or word for word in words)

    def _digits(self, text: str, key: str) -> str:
        if key in _CODES or key in _KEPT_NUMBERS:
            return text[:40]
        bare = text.strip()
        if not is_digits(bare):
            return "2.5"
        number = int(bare)
        if key in _CURSORS and number < 10**9:
            return text[:40]
        known = self._subs.known_name(bare)
        return known or text.replace(bare, str(self._subs.number(number, is_id=_is_id_key(key))))

    def _nested(self, text: str, depth: int) -> str | None:
        """JSON within a text, or None when it is none."""
        if text[:1] not in {"{", "["} or len(text) > MAX_NESTED:
            return None
        try:
            inner = json.loads(text, parse_constant=lambda _name: None)
        except (ValueError, RecursionError):
            return None
        self.learn_names(inner)
        return json.dumps(self.value(inner, "", depth + 1), separators=(",", ":"))

    def _word(self, text: str, key: str) -> str | None:
        """What stands in place of a text of a form we know; None for any other."""
        subs = self._subs
        known = subs.known_name(text)
        if known is not None or key in _NAMES:  # what is no name must not become one
            return known
        if _SEC_UID.fullmatch(text):
            return subs.sec_uid(text)
        if key in _FORMS and _FORM.fullmatch(text):
            return text
        if key == "UrlKey":
            return subs.token(text) + "".join(_GEAR_MARK.findall(text))
        if text.startswith("/") and not text.startswith("//") and not re.search(r"\s", text):
            return neutral_path(text, subs)
        address = neutral_address(text, subs, any_host=key in _ADDRESSES)
        if address is not None:
            return address
        if _is_id_key(key) and len(text) <= 128:
            return subs.token(text)
        return None


def _is_id_key(key: str) -> bool:
    return key.lower().endswith(("id", "uid")) or key == "id"


def _shape(value: Any) -> str:
    """What entries of a list have in common that look alike."""
    if isinstance(value, dict):
        return ",".join(sorted(value)[:MAX_KEYS])
    return type(value).__name__


def _placeholder(text: str) -> str:
    """In place of words: about how many characters they had."""
    for size in (8, 32, 128, 512, 2048):
        if len(text) <= size:
            return f"(up to {size} characters)"
    return "(many characters)"

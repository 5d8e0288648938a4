"""From a document's text to a Pack: every field checked, and held against the built-in one."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, cast

from stories.protocol import floor
from stories.protocol.floor import CodeName, TlsTarget
from stories.protocol.pack import (
    AnswerCodes,
    Codec,
    CodeTable,
    Endpoints,
    Hosts,
    Identities,
    IdentityFacts,
    Marks,
    Pack,
    Renditions,
    StoryListRequest,
    Version,
)
from stories.protocol.reading import (
    PRINTABLE,
    PackRefused,
    Reader,
    as_text,
    different,
    load,
    malformed,
    shown,
)

SECTIONS: Final = ("identities", "endpoints", "hosts", "codes", "marks", "renditions")

_VERSION: Final = re.compile(r"(\d{4}-\d{2}-\d{2})\.([1-9]\d{0,2})", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_APP: Final = re.compile(r"\d{1,4}(?:\.\d{1,4}){1,2}", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9+._-]*")
_HINT: Final = re.compile(r"sec-ch-ua(?:-[a-z]+)*")
_HOST: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+"
)
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_URL: Final = re.compile(r"https://([a-z0-9.-]+)/((?:[A-Za-z0-9@_.-]|\{name\}|\{id\}|/(?!/))*)")
_PARAMETER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_VALUE: Final = re.compile(r"[A-Za-z0-9_.,-]*|\{(?:author_id|sec_uid|name|count|cursor)\}")
_NUMBER: Final = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_LETTERS: Final = re.compile(r"[a-z0-9]+")
_WORD: Final = re.compile(r"[a-z0-9_-]+")
_ENDING: Final = re.compile(r"\.[a-z0-9]+")

_HOST_LENGTHS: Final = (4, 100)
_MARK_LENGTHS: Final = (5, 80)
_WHOM: Final = frozenset({"{author_id}", "{sec_uid}", "{name}"})
_SECRETS: Final = (
    "token",
    "session",
    "cookie",
    "oauth",
    "authorization",
    "passw",
    "secret",
    "sid_",
)
"""What the name of a parameter or a value that carries somebody's sign-in would hold."""


def parse(text: bytes, built_in: Pack | None) -> Pack:
    """The pack of a document. Raises PackRefused.

    built_in: what it is held against; None for the built-in document itself.
    """
    document = Reader(load(text, floor.MAX_BYTES))
    form = document.get("format")
    if form != floor.FORMAT or isinstance(form, bool):
        raise PackRefused("wrong_format", f"its format is {shown(form)}, not {floor.FORMAT}")
    document.only("format", "version", "made_at", "minimum_app", "note", *SECTIONS)
    hosts = _hosts(document.inner("hosts"))
    return Pack(
        version=parse_version(document.text("version", 12, 14)),
        made_at=_moment(document),
        minimum_app=document.text("minimum_app", 3, 14, _APP)
        if document.has("minimum_app")
        else "",
        note=document.text("note", 0, 500) if document.has("note") else "",
        identities=_identities(document.inner("identities")),
        endpoints=_endpoints(document.inner("endpoints"), hosts.page),
        hosts=hosts,
        codes=_codes(document.inner("codes"), built_in.codes if built_in else None),
        marks=_marks(document.inner("marks"), built_in.marks if built_in else None),
        renditions=_renditions(document.inner("renditions")),
    )


def parse_version(text: str) -> Version:
    """The version of a text such as `2026-11-30.1`. Raises PackRefused."""
    match = _VERSION.fullmatch(text)
    try:
        if match is not None and datetime.fromisoformat(match[1]):
            return Version(match[1], int(match[2]))
    except ValueError:
        pass
    raise malformed("version", "it is no day and number, such as 2026-11-30.1")


def _moment(document: Reader) -> datetime:
    text = document.text("made_at", 20, 20, _MOMENT)
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise malformed("made_at", "there is no such time") from None


# --- identities -----------------------------------------------------------------------------------


def _identities(section: Reader) -> Identities:
    section.only("curl", "httpx", "preview_agent")
    return Identities(
        preview_agent=section.text("preview_agent", 10, 300),
        curl=_ladder(section, "curl", with_tls=True),
        httpx=_ladder(section, "httpx", with_tls=False),
    )


def _ladder(section: Reader, name: str, *, with_tls: bool) -> tuple[IdentityFacts, ...]:
    entries = section.entries(name, 1, 8)
    ladder = (_identity(Reader(value, place), with_tls=with_tls) for place, value in entries)
    return different(ladder, section.at(name), lambda identity: identity.name)


def _identity(entry: Reader, *, with_tls: bool) -> IdentityFacts:
    entry.only("name", "user_agent", "tls_target", "client_hints", "browser", "always_referer")
    target = entry.get("tls_target")
    allowed: Collection[object] = (None, *floor.TLS_TARGETS) if with_tls else (None,)
    if not (target is None or isinstance(target, str)) or target not in allowed:
        raise malformed(entry.at("tls_target"), f"there is no such target: {shown(target)}")
    hints = []
    for place, pair in entry.entries("client_hints", 0, 12):
        key, value = _pair(pair, place)
        hints.append((as_text(key, place, 9, 40, _HINT), as_text(value, place, 1, 300, PRINTABLE)))
    return IdentityFacts(
        name=entry.text("name", 2, 40, _NAME),
        user_agent=entry.text("user_agent", 10, 300),
        tls_target=cast("TlsTarget | None", target),
        client_hints=different(hints, entry.at("client_hints"), lambda hint: hint[0]),
        browser=entry.flag("browser"),
        always_referer=entry.flag("always_referer"),
    )


def _pair(value: object, place: str) -> tuple[object, object]:
    if not isinstance(value, list) or len(value) != 2:
        raise malformed(place, "it is no pair of a name and a value")
    return value[0], value[1]


# --- endpoints ------------------------------------------------------------------------------------


def _endpoints(section: Reader, page_hosts: frozenset[str]) -> Endpoints:
    slots = {
        "profile": "{name}",
        "profile_embed": "{name}",
        "item": "{id}",
        "item_embed": "{id}",
        "oembed": "",
        "clock": "",
    }
    section.only(*slots, "story_list")
    urls = {name: _url(section, name, slot, page_hosts) for name, slot in slots.items()}
    return Endpoints(**urls, story_list=_story_list(section.inner("story_list"), page_hosts))


def _url(section: Reader, name: str, slot: str, page_hosts: frozenset[str]) -> str:
    url = section.text(name, 12, 200)
    match = _URL.fullmatch(url)
    place = section.at(name)
    if match is None or match[2].startswith("/") or ".." in match[2]:
        raise malformed(place, f"that is no https address of a page: {shown(url)}")
    if match[1] not in page_hosts:
        raise malformed(place, f"its host is not among the page hosts: {shown(match[1])}")
    if re.findall(r"\{[a-z]+\}", url) != ([slot] if slot else []):
        raise malformed(place, f"it needs {slot} once" if slot else "it takes no names")
    return url


def _story_list(section: Reader, page_hosts: frozenset[str]) -> StoryListRequest:
    section.only("url", "query", "page_size")
    query = []
    for place, pair in section.entries("query", 2, 30):
        key, value = _pair(pair, place)
        parameter = as_text(key, place, 1, 40, _PARAMETER)
        fixed = as_text(value, place, 0, 100, _VALUE)
        said = f"{parameter}={fixed}".lower()
        if any(secret in said for secret in _SECRETS):
            raise malformed(place, "that could be somebody's sign-in")
        query.append((parameter, fixed))
    values = [value for _, value in query]
    if values.count("{cursor}") != 1 or sum(value in _WHOM for value in values) != 1:
        raise malformed(section.at("query"), "it needs {cursor} once, and whose list it is once")
    return StoryListRequest(
        url=_url(section, "url", "", page_hosts),
        query=different(query, section.at("query"), lambda pair: pair[0]),
        page_size=section.whole("page_size", 1, 50),
    )


# --- hosts ----------------------------------------------------------------------------------------


def _hosts(section: Reader) -> Hosts:
    section.only("page", "share", "other_services", "media")
    page = frozenset(_below(section, "page", floor.PAGE_PARENTS, least=1))
    if floor.SITE_HOST not in page:
        raise malformed(section.at("page"), f"{floor.SITE_HOST} is missing")
    services = {}
    for label, words in section.mapping("other_services", 200).items():
        place = section.at("other_services")
        if words not in floor.SERVICE_WORDS if isinstance(words, str) else True:
            raise malformed(place, f"those words are not known: {shown(words)}")
        services[as_text(label, place, 1, 40, _LABEL)] = words
    return Hosts(
        page=page,
        share=frozenset(_below(section, "share", floor.PAGE_PARENTS, least=0)),
        other_services=MappingProxyType(services),
        media=_below(section, "media", floor.MEDIA_PARENTS, least=1),
    )


def _below(section: Reader, name: str, parents: Collection[str], *, least: int) -> tuple[str, ...]:
    """Hosts that are one of these domains or below one."""
    hosts = section.texts(name, (least, 100), _HOST_LENGTHS, _HOST)
    for host in hosts:
        if not any(host == parent or host.endswith(f".{parent}") for parent in parents):
            raise PackRefused("foreign_host", f"{section.at(name)}: {host} is none of TikTok's")
    return hosts


# --- codes ----------------------------------------------------------------------------------------


def _codes(section: Reader, built_in: AnswerCodes | None) -> AnswerCodes:
    section.only("accounts", "items", "is_a_story")
    numbers = section.texts("is_a_story", (0, 10), (1, 9), _NUMBER)
    return AnswerCodes(
        accounts=_table(
            section.inner("accounts"), floor.ACCOUNT_NAMES, built_in.accounts if built_in else None
        ),
        items=_table(
            section.inner("items"), floor.ITEM_NAMES, built_in.items if built_in else None
        ),
        is_a_story=frozenset(map(int, numbers)),
    )


def _table(section: Reader, allowed: Collection[CodeName], built_in: CodeTable | None) -> CodeTable:
    section.only("numbers", "words")
    numbers: dict[int, CodeName] = {}
    place = section.at("numbers")
    for key, value in section.mapping("numbers", 300).items():
        number = int(as_text(key, place, 1, 9, _NUMBER))
        name = _code_name(value, f"{place}.{key}", allowed)
        if built_in is not None:
            _check_number(number, name, built_in, f"{place}.{key}")
        numbers[number] = name
    words: dict[str, CodeName] = {}
    place = section.at("words")
    for key, value in section.mapping("words", 200).items():
        word = as_text(key, place, 8, 60, _LETTERS)
        name = _code_name(value, f"{place}.{key}", allowed)
        if built_in is not None:
            _check_word(word, name, built_in, f"{place}.{key}")
        words[word] = name
    return CodeTable(numbers=MappingProxyType(numbers), words=MappingProxyType(words))


def _code_name(value: object, place: str, allowed: Collection[CodeName]) -> CodeName:
    if not isinstance(value, str) or value not in allowed:
        raise malformed(place, f"an answer cannot mean that: {shown(value)}")
    return cast("CodeName", value)


def _check_number(number: int, name: CodeName, built_in: CodeTable, place: str) -> None:
    """A number that keeps us out keeps us out; one that ends a search is known to do so."""
    known = built_in.numbers.get(number)
    if known in floor.KEPT_OUT and name not in floor.KEPT_OUT:
        raise PackRefused("forbidden", f"{place}: it says that we are kept out, and nothing else")
    if name in floor.FINAL and known not in floor.FINAL and (known or name != "no_such_account"):
        raise PackRefused("forbidden", f"{place}: a number alone does not say that")


def _check_word(word: str, name: CodeName, built_in: CodeTable, place: str) -> None:
    """A word that ends a search is not how another one begins, nor begins with another one."""
    if name not in floor.FINAL:
        return
    for known, meaning in built_in.words.items():
        if meaning not in floor.FINAL and (known.startswith(word) or word.startswith(known)):
            raise PackRefused("forbidden", f"{place}: {known} says something else")


# --- marks and renditions -------------------------------------------------------------------------


def _marks(section: Reader, built_in: Marks | None) -> Marks:
    section.only("challenge", "needed", "captcha", "shell")

    def marks(name: str, least: int, known: tuple[bytes, ...]) -> tuple[bytes, ...]:
        listed = section.texts(name, (least, 40), _MARK_LENGTHS, PRINTABLE)
        return tuple(dict.fromkeys((*known, *(mark.encode() for mark in listed))))

    challenge = marks("challenge", 2, built_in.challenge if built_in else ())
    most = built_in.needed if built_in else min(3, len(challenge))
    return Marks(  # nosec B604  # no call of a shell: its pages without data
        challenge=challenge,
        needed=section.whole("needed", 1, most),
        captcha=marks("captcha", 0, built_in.captcha if built_in else ()),
        shell=marks("shell", 0, built_in.shell if built_in else ()),
    )


def _renditions(section: Reader) -> Renditions:
    section.only("codecs", "no_player", "silent_formats", "silent_paths", "picture_order")
    codecs = [Reader(value, place) for place, value in section.entries("codecs", 2, 12)]
    told = different(map(_codec, codecs), section.at("codecs"), lambda codec: codec.name)
    names = {codec.name for codec in told}
    if not names >= floor.PLAYED:
        raise malformed(section.at("codecs"), "h264 and hevc have to be there")
    no_player = frozenset(section.texts("no_player", (0, 8), (2, 12), _WORD))
    if no_player & floor.PLAYED:
        raise PackRefused("forbidden", f"{section.at('no_player')}: players do open that")
    groups = [
        Reader({"endings": value}, place).texts("endings", (1, 8), (2, 8), _ENDING)
        for place, value in section.entries("picture_order", 1, 8)
    ]
    different((ending for group in groups for ending in group), section.at("picture_order"))
    return Renditions(
        codecs=told,
        no_player=no_player,
        silent_formats=frozenset(section.texts("silent_formats", (0, 8), (3, 20), _WORD)),
        silent_paths=section.texts("silent_paths", (0, 8), (5, 40), _WORD),
        picture_order=tuple(groups),
    )


def _codec(entry: Reader) -> Codec:
    entry.only("name", "words", "beginnings", "keys")
    return Codec(
        name=entry.text("name", 2, 12, _WORD),
        words=frozenset(entry.texts("words", (0, 16), (2, 20), _WORD)),
        beginnings=entry.texts("beginnings", (0, 16), (3, 20), _WORD),
        keys=entry.texts("keys", (0, 8), (4, 30), _WORD),
    )


def document_keys(document: Any) -> dict[str, Any]:
    """A document's values by their place, lists of pairs and objects taken apart.

    document: parsed JSON that `parse` has taken. For telling two documents apart.
    """
    found: dict[str, Any] = {}

    def walk(value: Any, place: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, f"{place}.{name}" if place else name)
        elif isinstance(value, list):
            for entry in value:
                named = entry.get("name") if isinstance(entry, dict) else None
                if named is not None:
                    walk(entry, f"{place}[{named}]")
                else:
                    found[f"{place}[{entry if isinstance(entry, str) else _joined(entry)}]"] = True
        else:
            found[place] = value

    walk(document, "")
    return found


def _joined(entry: Any) -> str:
    return " ".join(map(str, entry)) if isinstance(entry, list) else str(entry)

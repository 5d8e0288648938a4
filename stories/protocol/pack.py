"""The protocol pack: what is known of TikTok, typed; values alone, no code and no patterns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from stories.protocol.floor import CodeName, TlsTarget


class Version(NamedTuple):
    """A pack's version, ordered: a day, and a number within it. str(): `2026-11-30.1`."""

    day: str
    number: int

    def __str__(self) -> str:
        return f"{self.day}.{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFacts:
    """A visitor as TikTok is to see one; `stories.identity.Identity` says what each field is."""

    name: str
    user_agent: str
    tls_target: TlsTarget | None
    client_hints: tuple[tuple[str, str], ...]
    browser: bool
    always_referer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """The ladders of identities, in the order they are tried, by transport.

    preview_agent: the user agent that short links answer with a plain redirect.
    """

    curl: tuple[IdentityFacts, ...]
    httpx: tuple[IdentityFacts, ...]
    preview_agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryListRequest:
    """The request for a page of a story list.

    query: in order; of the values `{author_id}`, `{sec_uid}`, `{name}`, `{count}` and `{cursor}`
    stand for those of the request, every other one is sent as it is.
    """

    url: str
    query: tuple[tuple[str, str], ...]
    page_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Addresses on page hosts, all https. `{name}` and `{id}` stand for those asked for."""

    profile: str
    profile_embed: str
    item: str
    item_embed: str
    oembed: str
    clock: str
    story_list: StoryListRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """TikTok's hosts. page: asked for pages and lists. share: whose links are read beside those.

    other_services: label below tiktok.com -> what it is in words fit to show, "" where nobody means
    it. media: domains below which files are.
    """

    page: frozenset[str]
    share: frozenset[str]
    other_services: Mapping[str, str]
    media: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTable:
    """numbers: code -> meaning. words: how a word begins, in letters and digits alone -> meaning;
    of several in one message the one that stands first here decides."""

    numbers: Mapping[int, CodeName]
    words: Mapping[str, CodeName]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCodes:
    """Codes in answers about accounts and about items. is_a_story: those of a story."""

    accounts: CodeTable
    items: CodeTable
    is_a_story: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Texts in bodies. challenge: of the challenge page, which holds `needed` of them.

    captcha: beside those, of a page without data that asks for a check. shell: of a page of the
    usual make whose data was left out.
    """

    challenge: tuple[bytes, ...]
    needed: int
    captcha: tuple[bytes, ...]
    shell: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """How a codec is told: by TikTok's word for it in lower case, whole or by its beginning, or by
    a text in the file's key. name: ours."""

    name: str
    words: frozenset[str]
    beginnings: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renditions:
    """How renditions are told apart. codecs: of several that fit the first decides.

    no_player: codecs that no player opens. silent_formats: words, in lower case, for video tracks
    alone; silent_paths: how the last part of such a file's path begins. picture_order: endings of
    paths, the best group first.
    """

    codecs: tuple[Codec, ...]
    no_player: frozenset[str]
    silent_formats: frozenset[str]
    silent_paths: tuple[str, ...]
    picture_order: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pack:
    """All that is known. minimum_app: the version of the program that it needs, "" for any.

    note: what is new, for admins, "" for nothing. Compared by identity: tables are made once from
    each.
    """

    version: Version
    made_at: datetime
    minimum_app: str
    note: str
    identities: Identities
    endpoints: Endpoints
    hosts: Hosts
    codes: AnswerCodes
    marks: Marks
    renditions: Renditions

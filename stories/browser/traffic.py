"""A page's requests as its browser reports them: documents, and the data its scripts ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urldefrag, urlsplit

from stories.browser.cdp import Json
from stories.protocol.current import current

ABORTED: Final = "net::ERR_ABORTED"
"""Of a document that was never shown: a download, "204 No Content", or another one came first."""

_ASKED_FOR: Final = frozenset({"{author_id}", "{sec_uid}", "{name}", "{cursor}"})
"""Slots of the list's address that say what is asked for; a signature adds further parameters."""
_LOCAL_SCHEMES: Final = frozenset({"data", "blob", "about"})
_MOST: Final = 64
"""Documents, and as many requests for data, that are followed; a page that makes more is odd."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """What a request for data asks for, whatever signs it: host, path, and parameters that tell."""

    host: str
    path: str
    telling: tuple[str, ...]

    @classmethod
    def of(cls, url: str) -> DataKey | None:
        """The key of an address; None for what is not https, or cannot be read."""
        try:
            parts = urlsplit(url)
            plain = parts.scheme == "https" and parts.port in {None, 443}
            values = parse_qs(parts.query, max_num_fields=200)
        except ValueError:
            return None
        if not plain:
            return None
        telling = tuple(values.get(name, [usual])[0] for name, usual in _telling())
        return cls((parts.hostname or "").lower(), parts.path.rstrip("/"), telling)


def list_path() -> str:
    """Where the story list is, without a slash at its end."""
    return urlsplit(current().endpoints.story_list.url).path.rstrip("/")


def _telling() -> list[tuple[str, str]]:
    """The parameters that say what is asked for, with the value that the lack of one means."""
    query = current().endpoints.story_list.query
    names = [
        (name, "0" if slot == "{cursor}" else "") for name, slot in query if slot in _ASKED_FOR
    ]
    return [*names, ("url", "")]  # oEmbed's


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request, followed through its redirects. url: the last one.

    first_url: as it was asked. status: 0 until the answer begins. body: None until it is read, and
    when it is lost. done: it ended, with or without an answer. error: `net::ERR_…` of one without.
    too_large: more than is read of any body. refused: stopped by us, as its host is not TikTok's.
    """

    id: str
    url: str
    first_url: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    received: int = 0
    body: bytes | None = field(default=None, repr=False)
    done: bool = False
    error: str = ""
    too_large: bool = False
    refused: bool = False
    loaded: bool = False

    @property
    def moved(self) -> bool:
        """Whether it ended elsewhere than where it was sent; a fragment does not count."""
        return urldefrag(self.url).url != urldefrag(self.first_url).url

    def answered(self, response: Json) -> None:
        """Note the head of the answer."""
        status, headers, url = (response.get(name) for name in ("status", "headers", "url"))
        self.status = status if isinstance(status, int) else 0
        if isinstance(headers, dict):
            self.headers = {str(name).lower(): str(value) for name, value in headers.items()}
        if isinstance(url, str) and url:
            self.url = url


class Traffic:
    """The requests of a page that matter: its documents, and those for data.

    allowed: whether a host may be asked at all. max_body: bytes of one body that are read.
    documents: of the main frame, since the last navigation. Events are those of the `Network`
    domain of the DevTools protocol.
    """

    def __init__(self, *, allowed: Callable[[str], bool], max_body: int) -> None:
        self._allowed, self._max_body = allowed, max_body
        self._requests: dict[str, Exchange] = {}
        self.documents: list[Exchange] = []
        self._data: list[tuple[DataKey, Exchange]] = []
        self._paths = {list_path()}

    def is_forbidden(self, url: str) -> bool:
        """Whether an address must not be asked for: not https, or not a host that may be."""
        try:
            parts = urlsplit(url)
            if parts.scheme in _LOCAL_SCHEMES:
                return False
            plain = parts.scheme == "https" and parts.port in {None, 443}
        except ValueError:
            return True
        return not (plain and self._allowed((parts.hostname or "").lower()))

    @property
    def document(self) -> Exchange | None:
        """The last document; one that was never shown does not count."""
        return next(
            (seen for seen in reversed(self.documents) if seen.error != ABORTED or seen.refused),
            None,
        )

    @property
    def has_asked_for_list(self) -> bool:
        """Whether a script of the page has asked for a story list."""
        path = list_path()
        return any(key.path == path for key, _ in self._data)

    def watch(self, url: str) -> None:
        """Follow requests for what `url` asks for, from now on; forget those made so far."""
        key = DataKey.of(url)
        if key is not None:
            self._paths.add(key.path)
            self._data = [seen for seen in self._data if seen[0] != key]

    def own_request(self, url: str, *, failed: bool = False) -> Exchange | None:
        """A request of the page for what `url` asks for, each of them once; None without one.

        failed: one that failed is one, too.
        """
        key = DataKey.of(url)
        while True:
            seen = next((seen for seen in self._data if seen[0] == key), None)
            if seen is None:
                return None
            self._data.remove(seen)
            if failed or not seen[1].error:
                return seen[1]

    # --- events -------------------------------------------------------------------------------

    def sent(self, event: Json, *, main_frame: str) -> None:
        """A request is on its way, or is redirected."""
        number, request = str(event.get("requestId")), event.get("request") or {}
        url = str(request.get("url", ""))
        known = self._requests.get(number)
        if known is not None:
            known.url = url
            return
        exchange = Exchange(id=number, url=url, first_url=url)
        if event.get("type") == "Document":
            if event.get("frameId") != main_frame or len(self.documents) >= _MOST:
                return
            self.documents.append(exchange)
        else:
            key = DataKey.of(url) if request.get("method") == "GET" else None
            wanted = key is not None and key.path in self._paths and len(self._data) < _MOST
            if key is None or not wanted or event.get("type") == "Preflight":
                return
            self._data.append((key, exchange))
        self._requests[number] = exchange

    def answered(self, event: Json) -> None:
        """The head of an answer is there."""
        exchange = self.unfinished(event)
        if exchange is not None:
            exchange.answered(event.get("response") or {})

    def received(self, event: Json) -> bool:
        """Some bytes are there; True when they are too many from now on."""
        exchange, length = self.unfinished(event), event.get("dataLength")
        if exchange is None or not isinstance(length, int):
            return False
        exchange.received += length
        if exchange.received <= self._max_body:
            return False
        exchange.too_large = exchange.done = True
        return True

    def unfinished(self, event: Json) -> Exchange | None:
        """The exchange of an event, if it has not ended."""
        exchange = self._requests.get(str(event.get("requestId")))
        return None if exchange is None or exchange.done else exchange

    def failed(self, event: Json) -> None:
        """There will be no answer, or no more of it."""
        exchange = self.unfinished(event)
        if exchange is not None:
            exchange.error = str(event.get("errorText") or ABORTED)
            exchange.refused = self.is_forbidden(exchange.url)
            exchange.done = True

    def loaded(self) -> None:
        """The last document is there with its scripts."""
        if self.documents:
            self.documents[-1].loaded = True

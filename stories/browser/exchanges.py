"""A page's requests as its browser reports them: documents, and the data its scripts ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urldefrag, urlsplit

Json = Mapping[str, Any]

ABORTED = "net::ERR_ABORTED"
"""Of a document that was never shown: a download, "204 No Content", or another one came first."""

_TELLING = ("authorId", "cursor", "url")
"""Parameters that say what is asked for; a signature adds others."""


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
            values = parse_qs(parts.query, max_num_fields=200)
        except ValueError:
            return None
        if parts.scheme != "https" or parts.port not in {None, 443}:
            return None
        defaults = {"cursor": "0"}
        telling = tuple(values.get(name, [defaults.get(name, "")])[0] for name in _TELLING)
        return cls((parts.hostname or "").lower(), parts.path.rstrip("/"), telling)


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

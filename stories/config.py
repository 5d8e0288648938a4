"""The configuration of a client: limits and routes, decided by the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """Limits and routes of one client. Sizes in bytes, times in seconds.

    proxy: URL of an HTTP proxy for everything outbound. ca_bundle: path of a PEM file with an
    *extra* authority, for networks that inspect TLS. page_transport: "curl" carries a browser's
    TLS fingerprint, "httpx" is plain. transfers: files fetched at once. A file larger than
    segment_bytes is fetched in up to `segments` parallel ranges when the server honours ranges.
    """

    proxy: str | None = None
    ca_bundle: str | None = None
    page_transport: Literal["curl", "httpx"] = "curl"
    connect_timeout_s: float = 10
    read_timeout_s: float = 20
    item_timeout_s: float = 900
    max_page_bytes: int = 8 * MIB
    max_video_bytes: int = 500 * MIB
    max_picture_bytes: int = 30 * MIB
    max_song_bytes: int = 30 * MIB
    transfers: int = 24
    segment_bytes: int = 2 * MIB
    segments: int = 4

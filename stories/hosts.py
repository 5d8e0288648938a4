"""TikTok's hosts: the one allow-list for links, redirects and media addresses."""

from __future__ import annotations

import re

SITE = "https://www.tiktok.com/"

# Pages and short links live on these and nowhere else; a subdomain we do not know is refused.
PAGE_HOSTS = frozenset(
    {
        "tiktok.com",
        "www.tiktok.com",
        "m.tiktok.com",
        "vm.tiktok.com",
        "vt.tiktok.com",
        "www.tiktokv.com",
    }
)

# Each covers every subdomain. akamaized.net served old files too, but anyone can rent a name there.
MEDIA_SUFFIXES = (
    ".tiktok.com",
    ".tiktokcdn.com",
    ".tiktokcdn-us.com",
    ".tiktokcdn-eu.com",
    ".tiktokv.com",
    ".tiktokv.us",
    ".tiktokv.eu",
    ".ibyteimg.com",
    ".muscdn.com",
)

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
_MAX_HOST = 253


def is_tiktok_page_host(host: str) -> bool:
    """True for a host that serves TikTok's pages or short links. No port, no trailing dot."""
    return host.lower() in PAGE_HOSTS


def is_media_host(host: str) -> bool:
    """True for a host that serves TikTok's pictures, videos and songs."""
    host = host.lower()
    return (
        len(host) <= _MAX_HOST
        and host.endswith(MEDIA_SUFFIXES)
        and _HOST.fullmatch(host) is not None
    )


def is_allowed_host(host: str) -> bool:
    """True for every host this program may ever contact."""
    return is_tiktok_page_host(host) or is_media_host(host)

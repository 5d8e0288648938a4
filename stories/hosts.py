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


MAX_PLAIN_HOST = 100
_NOT_PUBLIC = (".local", ".localhost", ".internal", ".lan", ".home", ".arpa", ".onion", ".test")


def plain_host_name(text: str) -> str | None:
    """A host name fit to be shown to whoever runs this instance, in lower case; else None.

    None for whatever is no plain public DNS name: addresses in numbers, other scripts, names of
    one label, of private networks, or too long to be read.
    """
    name = text.lower()
    labels = name.split(".")
    if (
        len(name) > MAX_PLAIN_HOST
        or _HOST.fullmatch(name) is None
        or any(len(label) > 63 for label in labels)
        or not labels[-1].isalpha()
        or name.endswith(_NOT_PUBLIC)
    ):
        return None
    return name

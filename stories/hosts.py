"""TikTok's hosts: the one allow-list for links, redirects and media addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from stories.protocol.current import per_pack
from stories.protocol.pack import Pack

SITE = "https://www.tiktok.com/"

# From where TikTok's pages load their scripts, which only a browser needs; the challenge page's own
# is at sf16-website-login.neutral.ttwstatic.com (docs/protocol.md, "The challenge page").
SCRIPT_SUFFIXES = (".ttwstatic.com",)

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
_MAX_HOST = 253


@per_pack
def page_hosts(pack: Pack) -> frozenset[str]:
    """Whom we ask for pages, lists and short links, and follow redirects to.

    Links on more hosts are read; what they name is asked for here.
    """
    return pack.hosts.page


@per_pack
def other_services(pack: Pack) -> Mapping[str, str]:
    """Label below tiktok.com -> what it is in words fit to show, "" where nobody means it.

    Subdomains on which TikTok runs something else; any other may hold links to accounts and
    stories, as those of regions and of apps do (us., t., lite.).
    """
    return pack.hosts.other_services


@per_pack
def _media_suffixes(pack: Pack) -> tuple[str, ...]:
    # Each covers every subdomain. akamaized.net served old files too, but anyone can rent a name
    # there.
    return tuple(f".{domain}" for domain in pack.hosts.media)


@per_pack
def _share_hosts(pack: Pack) -> frozenset[str]:
    return pack.hosts.share


def is_tiktok_page_host(host: str) -> bool:
    """True for a host that we ask for TikTok's pages or short links. No port, no trailing dot."""
    return host.lower() in page_hosts()


def is_link_host(host: str) -> bool:
    """True for a host whose links may name an account, a story or a post: they are read, and what
    they name is asked for on a page host. No port, no trailing dot."""
    host = host.lower()
    label = host.removesuffix(".tiktok.com")
    if label != host:
        label = label.removeprefix("www.").removeprefix("m.")
    return (
        host in page_hosts()
        or host in _share_hosts()
        or (label != host and label not in other_services() and _LABEL.fullmatch(label) is not None)
    )


def on_page_host(url: str) -> str:
    """The address of a page with the host that we ask for it; any other address unchanged.

    A region's host, as it stands in links and redirects, becomes www.tiktok.com.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    host = parts.netloc.lower()
    if parts.scheme != "https" or is_tiktok_page_host(host) or not is_link_host(host):
        return url
    return urlunsplit(parts._replace(netloc="www.tiktok.com"))


def is_media_host(host: str) -> bool:
    """True for a host that serves TikTok's pictures, videos and songs."""
    return _is_below(host, _media_suffixes())


def is_allowed_host(host: str) -> bool:
    """True for every host this program may ever contact by itself."""
    return is_tiktok_page_host(host) or is_media_host(host)


def is_browser_host(host: str) -> bool:
    """True for every host that another program may reach for us: those, and the pages' scripts."""
    return is_allowed_host(host) or _is_below(host, SCRIPT_SUFFIXES)


def _is_below(host: str, suffixes: tuple[str, ...]) -> bool:
    host = host.lower()
    return len(host) <= _MAX_HOST and host.endswith(suffixes) and _HOST.fullmatch(host) is not None


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

"""Links: a TikTok URL or account name becomes a Target, and a Target its canonical URL.

Pure and network-free. docs/protocol.md lists the link forms. A link to any other page or site is
refused with a description of what it is. Only an InputError is raised, and every expression here
is linear in its text.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from stories.errors import NotUnderstood, UnsupportedLink
from stories.hosts import PAGE_HOSTS, is_tiktok_page_host
from stories.structures import Target, TargetKind

_MAX_DETAIL_HOST = 60

_NAME = re.compile(r"[A-Za-z0-9_.]{1,23}[A-Za-z0-9_]")
_USER_ID = re.compile(r"[1-9][0-9]{4,18}")
_SEC_UID = re.compile(r"MS4wLjABAAAA[A-Za-z0-9_-]{32,64}")
_ITEM_ID = re.compile(r"[1-9][0-9]{17,18}")
_SHORT_CODE = re.compile(r"[A-Za-z0-9_-]{3,32}")

COMBINING_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
"""Ranges for a character class: marks on the letter before them that NFKC leaves separate."""
_COMBINING_MARK = re.compile(f"[{COMBINING_MARKS}]")
_URL_PARTS = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://)?(?P<authority>[^/?#]*)"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.DOTALL,
)
_HOST_WITH_PORT = re.compile(r"(?P<host>[^:]*):[0-9]*")
_SUBDOMAIN = re.compile(r"(?:[a-z0-9\-]+\.)+tiktok\.com")

# From here on come the scripts that are written without spaces, where text may touch a link.
_UNSPACED_SCRIPTS = "\u0e00"

# The first part of a path that is another kind of page, in words fit to show.
_OTHER_PAGES = {
    "tag": "a tag page",
    "hashtag": "a tag page",
    "challenge": "a tag page",
    "music": "a sound",
    "sound": "a sound",
    "search": "a search",
    "explore": "the Explore page",
    "foryou": "the For You feed",
    "following": "the Following feed",
    "friends": "the Friends feed",
    "discover": "a Discover page",
    "live": "a live",
    "shop": "the shop",
    "view": "the shop",
    "login": "the sign-in page",
    "signup": "the sign-up page",
    "upload": "the upload page",
    "messages": "the messages page",
    "setting": "the settings page",
    "sticker": "an effect",
    "effect": "an effect",
    "place": "a place",
    "playlist": "a playlist",
    "collection": "a collection",
    "question": "a question page",
    "channel": "a topic page",
    "topics": "a topic page",
    "inapp": "an app page",
}
_UNDER_A_PROFILE = {"live": "a live", "playlist": "a playlist", "collection": "a collection"}
_OTHER_HOSTS = {
    "shop.tiktok.com": "the shop",
    "shop-us.tiktok.com": "the shop",
    "seller.tiktok.com": "the shop",
    "ads.tiktok.com": "the advertising site",
    "live.tiktok.com": "a live",
    "lf.tiktok.com": "an app page",
}
_UNKNOWN_PAGE = "a TikTok page that is neither a profile nor a story"
_HOME = "TikTok's home page"
_OTHER_SITE = "another site"
_OTHER_PART = "another part of TikTok"
_OTHER_KIND = "another kind of link"
_HIDDEN_SITE = "a link that hides its site behind an @"
_WITH_PORT = "a link with a port number"
_NO_CODE = "a short link without its code"
UNSUPPORTED_LINKS = frozenset(
    {
        *_OTHER_PAGES.values(),
        *_UNDER_A_PROFILE.values(),
        *_OTHER_HOSTS.values(),
        *(_UNKNOWN_PAGE, _HOME, _OTHER_SITE, _OTHER_PART, _OTHER_KIND),
        *(_HIDDEN_SITE, _WITH_PORT, _NO_CODE),
    }
)
"""Every description of a refused link that UnsupportedLink's `detail` may hold, for translators.

In `detail` a host or scheme may follow it in brackets."""

# The name part of a post link may be missing or a placeholder: TikTok goes by the id alone.
_NAMELESS = frozenset({"@", "@_", "@i"})


def is_name(text: str) -> bool:
    """True when `text` can be an account's name: 2-24 letters, digits, `_`, `.`, no final dot."""
    return _NAME.fullmatch(text) is not None


def canonical_url(target: Target) -> str:
    """The public URL of a target, without tracking parameters: to show, store and link to."""
    if target.short_url is not None:
        return target.short_url
    owner = target.name or target.user_id or target.sec_uid or "_"
    if target.item_id is None:
        return f"https://www.tiktok.com/@{owner}"
    # Without a name only the video form works: the server ignores its name part.
    form = "story" if target.kind is TargetKind.STORY and owner != "_" else "video"
    return f"https://www.tiktok.com/@{owner}/{form}/{target.item_id}"


def parse_url(url: str) -> Target:
    """The target of a text that is one URL and nothing else, such as a Location header.

    A text that merely holds a link is refused, as a site chooses what its answers say. Raises
    NotUnderstood or UnsupportedLink.
    """
    return parse_link(url, following="")


def parse_account(name: str) -> Target | None:
    """The account that a name, a numeric id or a secUid stands for; None for any other text."""
    if _SEC_UID.fullmatch(name):
        return Target(kind=TargetKind.USER, sec_uid=name)
    if not is_name(name):
        return None
    # An all-digit name is legal, and so is an id in its place: the name is tried first.
    user_id = name if _USER_ID.fullmatch(name) else None
    return Target(kind=TargetKind.USER, name=name.lower(), user_id=user_id)


def refuse_bare_host(host: str) -> None:
    """Raise UnsupportedLink for a bare lower-case host of TikTok, which could pass for a name."""
    if host in PAGE_HOSTS:
        raise UnsupportedLink(_HOME)
    if _SUBDOMAIN.fullmatch(host):
        raise UnsupportedLink(_OTHER_HOSTS.get(host) or _other_site(host))


def is_tiktok_link(link: str) -> bool:
    """True for a link whose host serves TikTok's pages, whatever page it names."""
    parts = _URL_PARTS.fullmatch(link)
    return parts is not None and is_tiktok_page_host(parts["authority"])


def parse_link(link: str, *, following: str) -> Target:
    """The target of a link found in a text.

    following: the character after the link in that text, "" at the end. Raises NotUnderstood, or
    UnsupportedLink whose `detail` is one of UNSUPPORTED_LINKS.
    """
    parts = _URL_PARTS.fullmatch(link)
    if parts is None or (not parts["scheme"] and not parts["path"] and "@" in parts["authority"]):
        raise NotUnderstood  # an e-mail address, most likely
    scheme = (parts["scheme"] or "https").lower()
    if scheme not in {"https", "http"}:
        raise UnsupportedLink(f"{_OTHER_KIND} ({scheme[:20]})")
    host = _host(parts["authority"])
    if following.isalnum() and not parts["path"]:
        # The host goes on, in letters that at best look like ours.
        raise UnsupportedLink(_OTHER_SITE)
    if not is_tiktok_page_host(host):
        raise UnsupportedLink(_OTHER_HOSTS.get(host) or _other_site(host))
    segments = _segments(parts["path"])
    if host in {"vm.tiktok.com", "vt.tiktok.com"}:
        return _short_link(f"https://{host}/", segments)
    if segments[:1] == ["t"]:
        return _short_link("https://www.tiktok.com/t/", segments[1:])
    if not segments:
        raise UnsupportedLink(_HOME)
    # Scripts written without spaces may touch a link; other letters are part of what was meant.
    goes_on = _COMBINING_MARK.match(following) or (
        following.isalnum() and following < _UNSPACED_SCRIPTS
    )
    if goes_on and parts["query"] is None and (link[-1].isalnum() or link[-1] == "_"):
        raise NotUnderstood("the link goes on in letters TikTok does not use")
    return _from_path(segments, is_story=_has_story_parameter(parts["query"] or ""))


def _host(authority: str) -> str:
    """The host alone, lower case. A user part, a port or a trailing dot is refused."""
    if "@" in authority:
        raise UnsupportedLink(_HIDDEN_SITE)
    if _HOST_WITH_PORT.fullmatch(authority):
        raise UnsupportedLink(_WITH_PORT)
    return authority.lower()


def _other_site(host: str) -> str:
    if host.endswith(".tiktok.com"):
        return f"{_OTHER_PART} ({host[:_MAX_DETAIL_HOST]})"
    return f"{_OTHER_SITE} ({host[:_MAX_DETAIL_HOST]})" if host else _OTHER_SITE


def _segments(path: str) -> list[str]:
    if "\\" in path:
        raise NotUnderstood("a backslash in the link")
    return [unquote(part) for part in path.split("/") if part]


def _short_link(base: str, segments: list[str]) -> Target:
    if len(segments) != 1 or not _SHORT_CODE.fullmatch(segments[0]):
        raise UnsupportedLink(_NO_CODE)
    return Target(kind=TargetKind.SHORT, short_url=f"{base}{segments[0]}/")


def _has_story_parameter(query: str) -> bool:
    """True when the query marks the link as a story: `story_type=1`, else `aweme_type=40`.

    Asked first, as the query is dropped with its tracking parameters.
    """
    parameters: dict[str, str] = {}
    for pair in query.replace("&amp;", "&").split("&"):
        key, _, value = pair.partition("=")
        parameters.setdefault(key.lower(), value)
    story_type = parameters.get("story_type")
    if story_type in {"0", "1"}:
        return story_type == "1"
    return parameters.get("aweme_type") == "40"


def _from_path(segments: list[str], *, is_story: bool) -> Target:
    first = segments[0]
    if first.startswith("@"):
        return _from_profile_path(segments, is_story=is_story)
    kind = TargetKind.STORY if is_story else TargetKind.POST
    match [part.lower() for part in segments]:
        case ["share", "video" | "photo" | "story", item_id]:
            return _item(kind, item_id)
        case ["v", page] | ["embed", page] | ["embed", "v2", page] | ["player", "v1", page]:
            if page.startswith("@"):
                return _profile(segments[-1])
            return _item(kind, page.removesuffix(".html"))
        case ["h5", "share", "usr", page] | ["share", "user", page]:
            user_id = page.removesuffix(".html")
            if _USER_ID.fullmatch(user_id):
                return Target(kind=TargetKind.USER, user_id=user_id)
            raise NotUnderstood("the link holds no account id")
    raise UnsupportedLink(_OTHER_PAGES.get(first.lower(), _UNKNOWN_PAGE))


def _from_profile_path(segments: list[str], *, is_story: bool) -> Target:
    """The target of `/@name` and of the paths below it."""
    match segments[0], [part.lower() for part in segments[1:]]:
        case owner, [] | ["stories"] | ["story"]:
            return _profile(owner)
        case owner, ["video" | "photo", item_id, *_]:
            kind = TargetKind.STORY if is_story else TargetKind.POST
            return _item(kind, item_id, owner)
        case owner, ["story", item_id, *_]:
            return _item(TargetKind.STORY, item_id, owner)
        case _, ["video" | "photo"]:
            raise NotUnderstood("the link holds no post or story id")
        case _, [page, *_]:
            raise UnsupportedLink(_UNDER_A_PROFILE.get(page, _UNKNOWN_PAGE))
    raise NotUnderstood  # pragma: no cover - the cases above are all there are


def _profile(owner: str) -> Target:
    account = parse_account(owner.removeprefix("@"))
    if account is None:
        raise NotUnderstood("the link holds no TikTok name")
    return account


def _item(kind: TargetKind, item_id: str, owner: str = "@") -> Target:
    if not _ITEM_ID.fullmatch(item_id):
        raise NotUnderstood("the link holds no post or story id")
    account = None if owner in _NAMELESS else parse_account(owner.removeprefix("@"))
    if account is None:
        return Target(kind=kind, item_id=item_id)
    return Target(
        kind=kind,
        name=account.name,
        user_id=account.user_id,
        sec_uid=account.sec_uid,
        item_id=item_id,
    )

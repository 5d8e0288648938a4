"""Links: a TikTok URL or account name becomes a Target, and a Target its canonical URL.

Pure and network-free. docs/protocol.md lists the link forms. A link to any other page or site is
refused with a description of what it is. Only an InputError is raised, and every expression here
is linear in its text.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from stories.errors import Advert, InputError, NotUnderstood, UnsupportedLink
from stories.hosts import is_link_host, other_services, page_hosts
from stories.protocol.current import built_in
from stories.structures import Target, TargetKind

_MAX_DETAIL_HOST = 60

_NAME = re.compile(r"[A-Za-z0-9_.]{1,23}[A-Za-z0-9_]")
_USER_ID = re.compile(r"[1-9][0-9]{4,18}")
_SEC_UID = re.compile(r"MS4wLjABAAAA[A-Za-z0-9_-]{32,64}")
# Whatever else stands in its part of the path, an id that nothing goes on from is plain.
_ITEM_ID = re.compile(r"([1-9][0-9]{17,18})(?!\w)")
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
# Up to here they are Latin letters and the marks on them.
_LATIN = "\u036f"

# The first part of a path that is another kind of page, in words fit to show.
_OTHER_PAGES = {
    "tag": "a hashtag page",
    "hashtag": "a hashtag page",
    "challenge": "a hashtag page",
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
_UNKNOWN_PAGE = "a TikTok page that is neither a profile nor a story"
_HOME = "TikTok's home page"
_OTHER_SITE = "another site"
_OTHER_PART = "another part of TikTok"
_OTHER_KIND = "another kind of link"
_HIDDEN_SITE = "a link that hides its site behind an @"
_WITH_PORT = "a link with a port number"
_NO_CODE = "a short link without its code"
_ADVERT = "an ad for the app"
REFUSAL_WORDS = {
    **{f"page:{page}": words for page, words in _OTHER_PAGES.items()},
    **{f"under:{page}": words for page, words in _UNDER_A_PROFILE.items()},
    **{
        f"service:{label}": words
        for label, words in built_in().hosts.other_services.items()
        if words
    },
    "page": _UNKNOWN_PAGE,
    "under": _UNKNOWN_PAGE,
    "service": _OTHER_PART,
    "home": _HOME,
    "site": _OTHER_SITE,
    "kind": _OTHER_KIND,
    "hidden": _HIDDEN_SITE,
    "port": _WITH_PORT,
    "code": _NO_CODE,
    "advert": _ADVERT,
}
"""What a refused link is, by the names that classify.js has for it; a name without words of its own
has those of its part before the colon."""
UNSUPPORTED_LINKS = frozenset(REFUSAL_WORDS.values())
"""Every description of a refused link that UnsupportedLink's `detail` may hold, for translators.

In `detail` a host or scheme may follow it in brackets."""

# What ends a name, an id or a code in its part of the path: the query that was glued on without its
# "?", a space, a bracket, half a percent-encoded letter.
_GLUE = re.compile(r"[&?#;,\s\"'<>()\[\]{}|*!+:=%]")
_HALF_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MAX_ENCODINGS = 3
_SHORT_HOSTS = frozenset({"vm.tiktok.com", "vt.tiktok.com"})
_LITE_HOST = "lite.tiktok.com"
# Parts before the one that says what a link is: a language, the app's pages for the world.
_PREFIX = re.compile(r"[a-z]{2}(?:[-_][a-z]{2,4}){0,2}|i18n|h5")
_VERSION = re.compile(r"v[0-9]{1,2}")
_ITEM_FORMS = frozenset({"video", "photo", "story", "stories", "item", "v"})
_STORY_FORMS = frozenset({"story", "stories"})
_PLAYERS = frozenset({"embed", "player"})
# Where the app offers itself: its own pages, and the stores' pages and links of it.
_APP_ADVERT = re.compile(
    r"(?:https?://)?(?:"
    r"(?:[a-z0-9\-]{1,63}\.)?tiktok\.com/"
    r"(?:tiktok[\-_]?lite|lite|downloads?|download[\-_][a-z\-_]{1,20}|get[\-_]?app|app)(?![^/?#])"
    r"|lite\.tiktok\.com/?(?![^?#])"
    r"|(?:apps|itunes)\.apple\.com/[^?#]*tiktok"
    r"|play\.google\.com/store/apps/[^#]*(?:musically|ugc\.trill|ugc\.aweme|tiktok)"
    r"|[a-z0-9\-]{1,63}\.onelink\.me(?![^/?#])"
    r"|app\.adjust\.com(?![^/?#])"
    r")|(?:itms-appss?|market)://",
    re.IGNORECASE,
)

_DEEP_LINK = re.compile(
    r"(?:snssdk[0-9]{1,6}|musically|tiktok|aweme)://(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.IGNORECASE,
)

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


def parse_redirect(url: str) -> Target:
    """The target that a short link redirects to: a URL, or a link that opens it in the app.

    Raises NotUnderstood, UnsupportedLink, and Advert where the app is offered for download, or
    only opened.
    """
    if is_app_advert(url):
        raise Advert("it leads to where the app is offered")
    deep_link = _DEEP_LINK.fullmatch(url)
    if deep_link is None:
        return parse_url(url)
    if not _segments(deep_link["path"]):
        raise Advert("it only opens the app")
    return _from_deep_link(deep_link)


def _from_deep_link(deep_link: re.Match[str]) -> Target:
    """The target of a link that opens it in the app. Raises NotUnderstood, UnsupportedLink."""
    match _segments(deep_link["path"]):
        case ["aweme", "detail", item_id, *_]:
            is_story = _has_story_parameter(deep_link["query"] or "")
            return _item(TargetKind.STORY if is_story else TargetKind.POST, item_id)
        case ["user", "profile", user_id, *_] if _USER_ID.fullmatch(user_id):
            return Target(kind=TargetKind.USER, user_id=user_id)
    raise UnsupportedLink(_OTHER_KIND)


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
    if host in page_hosts():
        raise UnsupportedLink(_HOME)
    if _SUBDOMAIN.fullmatch(host):
        raise UnsupportedLink(_other_site(host))


def is_tiktok_link(link: str) -> bool:
    """True for a link whose host may name an account or a story, whatever page it names."""
    parts = _URL_PARTS.fullmatch(link)
    return parts is not None and is_link_host(parts["authority"])


def is_app_advert(link: str) -> bool:
    """True for a link to where TikTok's app is offered for download."""
    return _APP_ADVERT.match(link) is not None


def parse_link(link: str, *, following: str) -> Target:
    """The target of a link found in a text.

    following: the character after the link in that text, "" at the end. Raises NotUnderstood, or
    UnsupportedLink whose `detail` is one of UNSUPPORTED_LINKS.
    """
    parts = _URL_PARTS.fullmatch(link)
    if parts is None or (not parts["scheme"] and not parts["path"] and "@" in parts["authority"]):
        raise NotUnderstood  # an e-mail address, most likely
    scheme = (parts["scheme"] or "https").lower()
    deep_link = _DEEP_LINK.fullmatch(link)
    if deep_link is not None:
        return _from_deep_link(deep_link)
    if scheme not in {"https", "http"}:
        raise UnsupportedLink(f"{_OTHER_KIND} ({scheme[:20]})")
    host = _host(parts["authority"])
    if following.isalnum() and not parts["path"]:
        # The host goes on, in letters that at best look like ours.
        raise UnsupportedLink(_OTHER_SITE)
    if not is_link_host(host):
        raise UnsupportedLink(_other_site(host))
    segments = _segments(parts["path"])
    # Scripts written without spaces may touch a link; other letters are part of what was meant.
    goes_on = _COMBINING_MARK.match(following) or (
        following.isalnum() and following < _UNSPACED_SCRIPTS
    )
    ends_open = parts["query"] is None and (link[-1].isalnum() or link[-1] == "_")
    short = _short_link(host, segments)
    if short is not None:
        return short
    # An id has no letters: those of another script that touch it are the text that goes on.
    after_id = _ITEM_ID.fullmatch(segments[-1] if segments else "")
    ends_plain = after_id and following.isalpha() and following > _LATIN
    if goes_on and ends_open and segments and not ends_plain:
        raise NotUnderstood("the link goes on in letters TikTok does not use")
    try:
        return _from_path(segments, parts["query"] or "")
    except InputError:
        if host in page_hosts():
            raise
        raise UnsupportedLink(_other_site(host)) from None


def _host(authority: str) -> str:
    """The host alone, lower case. A user part, a port or a trailing dot is refused."""
    if "@" in authority:
        raise UnsupportedLink(_HIDDEN_SITE)
    if _HOST_WITH_PORT.fullmatch(authority):
        raise UnsupportedLink(_WITH_PORT)
    return authority.lower()


def _other_site(host: str) -> str:
    label = host.removesuffix(".tiktok.com")
    if label != host:
        return other_services().get(label) or f"{_OTHER_PART} ({host[:_MAX_DETAIL_HOST]})"
    return f"{_OTHER_SITE} ({host[:_MAX_DETAIL_HOST]})" if host else _OTHER_SITE


def _segments(path: str) -> list[str]:
    """The parts of a path, decoded however often they were encoded, without empty ones."""
    if "\\" in path:
        raise NotUnderstood("a backslash in the link")
    parts = (decoded(part).strip().rstrip("/") for part in path.split("/"))
    return [part for part in parts if part]


def decoded(text: str) -> str:
    """A percent-encoded text, also when it was encoded more than once; else the text unchanged."""
    for _ in range(_MAX_ENCODINGS):
        if "%" not in text or _HALF_ENCODED.search(text):
            break
        try:
            text = unquote(text, errors="strict")
        except UnicodeDecodeError:
            break
    return text


def _plain(segment: str) -> str:
    """The part of a path up to what was glued to it."""
    return _GLUE.split(segment, maxsplit=1)[0]


def _short_link(host: str, segments: list[str]) -> Target | None:
    """The target of a short link; None for a link of another form.

    Raises UnsupportedLink for one without its code.
    """
    marked = segments[:1] == ["t"]
    codes = [code for code in map(_plain, segments[1:] if marked else segments) if code]
    if host in _SHORT_HOSTS:
        base = f"https://{host}/"
    elif marked:
        base = f"https://{host if host == _LITE_HOST else 'www.tiktok.com'}/t/"
    else:
        return None
    if len(codes) == 1 and _SHORT_CODE.fullmatch(codes[0]):
        return Target(kind=TargetKind.SHORT, short_url=f"{base}{codes[0]}/")
    if not marked and _find_item(_split(segments), is_story=False) is not None:
        return None
    raise UnsupportedLink(_NO_CODE)


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


def _split(segments: list[str]) -> list[str]:
    """The parts of a path in which slashes were encoded, too."""
    return [part for segment in segments for part in segment.split("/") if part]


def _from_path(segments: list[str], query: str) -> Target:
    """The target of a path and its query. Raises NotUnderstood or UnsupportedLink."""
    glued = [segment[len(_plain(segment)) + 1 :] for segment in segments]
    is_story = _has_story_parameter("&".join([query, *glued]))
    try:
        target = _find_item(_split(segments), is_story=is_story)
    except NotUnderstood:
        target = None
    if target is None:
        target = _find_item(segments, is_story=is_story)
    return target or _find_account([part for part in map(_plain, segments) if part])


def _without_prefix(segments: list[str]) -> list[str]:
    while len(segments) > 1 and _PREFIX.fullmatch(segments[0].lower()):
        segments = segments[1:]
    return segments


def _find_item(segments: list[str], *, is_story: bool) -> Target | None:
    """The story or post that a path names; None for a path of another form.

    Raises NotUnderstood for a path of that form without an id.
    """
    segments = _without_prefix(segments)
    owner = "@"
    if segments and segments[0].startswith("@"):
        owner, segments = _plain(segments[0]), segments[1:]
    lower = [part.lower() for part in segments]
    if owner == "@" and lower[:1] == ["share"]:
        lower = lower[1:]
    match lower:
        case ["stories" | "story"] if owner not in _NAMELESS:
            return None
        case [form, *rest] if form in _ITEM_FORMS:
            kind = TargetKind.STORY if is_story or form in _STORY_FORMS else TargetKind.POST
            return _item(kind, rest[0] if rest else "", owner)
        case [player, *rest] if owner == "@" and player in _PLAYERS:
            if rest and _VERSION.fullmatch(rest[0]):
                rest = rest[1:]
            if not rest or rest[0].startswith("@"):
                return None
            return _item(TargetKind.STORY if is_story else TargetKind.POST, rest[0])
    return None


def _find_account(segments: list[str]) -> Target:
    """The account that a path without an item names. Raises NotUnderstood or UnsupportedLink."""
    if not segments:
        raise UnsupportedLink(_HOME)
    segments = _without_prefix(segments)
    lower = [part.lower() for part in segments]
    match lower:
        case ["share", "usr" | "user", page, *_]:
            user_id = page.removesuffix(".html")
            if _USER_ID.fullmatch(user_id):
                return Target(kind=TargetKind.USER, user_id=user_id)
            raise NotUnderstood("the link holds no account id")
        case ["embed", page] if page.startswith("@"):
            return _profile(segments[-1])
        case [owner] | [owner, "stories" | "story"] if owner.startswith("@"):
            return _profile(segments[0])
        case [owner, page, *_] if owner.startswith("@"):
            raise UnsupportedLink(_UNDER_A_PROFILE.get(page, _UNKNOWN_PAGE))
    raise UnsupportedLink(_OTHER_PAGES.get(lower[0], _UNKNOWN_PAGE))


def _profile(owner: str) -> Target:
    account = parse_account(owner.removeprefix("@"))
    if account is None:
        raise NotUnderstood("the link holds no TikTok name")
    return account


def _item(kind: TargetKind, item_id: str, owner: str = "@") -> Target:
    plain_id = _ITEM_ID.match(item_id)
    if plain_id is None:
        raise NotUnderstood("the link holds no post or story id")
    item_id = plain_id[1]
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

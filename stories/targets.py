"""Pasted text into Targets: which names and links are understood, and which are refused by name.

Pure and network-free, so that a page can classify while someone types. docs/protocol.md lists the
forms. Nothing but an InputError comes out, and every expression here is linear in its text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import unquote

from stories.errors import InputError, NotUnderstood, UnsupportedLink
from stories.hosts import PAGE_HOSTS, is_tiktok_page_host
from stories.structures import Target, TargetKind

MAX_LINE = 20_000
_MAX_SHARE_LINES = 6
_MAX_DETAIL_HOST = 60

_NAME = re.compile(r"[A-Za-z0-9_.]{1,23}[A-Za-z0-9_]")
_USER_ID = re.compile(r"[1-9][0-9]{4,18}")
_SEC_UID = re.compile(r"MS4wLjABAAAA[A-Za-z0-9_-]{32,64}")
_ITEM_ID = re.compile(r"[1-9][0-9]{17,18}")
_SHORT_CODE = re.compile(r"[A-Za-z0-9_-]{3,32}")

# Invisible on a screen, and pasted along from chats and right-to-left text.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
# Marks that stand on the letter before them: NFKC keeps those for which there is no single letter.
_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_MARK = re.compile(f"[{_MARKS}]")
# Full-width punctuation ends a link, which its ASCII form would not. Not in "https：／／".
_FULL_WIDTH_END = re.compile("[，！；？）]|：(?![/／])")
# Where a link starts in running text: at a scheme, or at a host with something after it. The rest
# is taken whole, so that a link carried inside another link's query is never mistaken for it. It
# ends at what stands between a link and its words: "|" in a messenger, "](" in Markdown.
_LINK = re.compile(
    r"(?:(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]{0,30}://"
    r"|(?<![\w@./:%=&?#+\-])(?=[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+(?:[/?#@]|:[0-9])))"
    r"(?:[!#-;=?-\[\\^_a-z~]|\](?!\())+"
)
# The app TikTok Lite puts an advert for itself under what is shared from it.
_ADVERT = re.compile(r"(?:https?://)?(?:www\.)?tiktok\.com/tiktoklite(?![^/?#])", re.IGNORECASE)
# Letters no name has are taken along, so that "@zoë" is refused rather than read as "@zo"; so is
# what goes on as a path does: "@aa/../bb" is not "@aa".
_MENTION = re.compile(
    rf"(?<![\w.@/:%=&?#+\-])@([\w.\-{_MARKS}]{{2,80}})(?![\w.\-{_MARKS}]|[/\\%]\S)"
)
_QUOTES = "\"'“”‘’«»„*~|()[]{}<>`"
_EDGES = _QUOTES + "_"
_TRAILING = ".,;:!?…。、，！？：；" + _QUOTES.replace("~", "")
# Layers of quotes and emphasis around a name.
_MAX_DRESSED = 4
_NAME_LIKE = re.compile(r"[A-Za-z0-9@]")
_LIST_MARK = re.compile(r"[\-*+•·–—>]|\(?[0-9]{1,3}[.):]?")
_URL_PARTS = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://)?(?P<authority>[^/?#]*)"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.DOTALL,
)
_HOST_WITH_PORT = re.compile(r"(?P<host>[^:]*):[0-9]*")
# A comma inside a link belongs to the link, unless what follows starts a new entry.
_SEPARATORS = re.compile(r"[\s,;、]+")
_SEPARATORS_BESIDE_LINKS = re.compile(r"(?:\s|[,;、](?=\s|@|https?://|$))+")
_COMMAS = re.compile(r"[,;、]")
_COMMAS_BESIDE_LINKS = re.compile(r"[,;、](?=\s|@|https?://|$)")

# From here on come the scripts that are written without spaces, where text may touch a link.
_UNSPACED = "\u0e00"

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
OTHER_THINGS = frozenset(
    {
        *_OTHER_PAGES.values(),
        *_UNDER_A_PROFILE.values(),
        *_OTHER_HOSTS.values(),
        *(_UNKNOWN_PAGE, _HOME, _OTHER_SITE, _OTHER_PART, _OTHER_KIND),
        *(_HIDDEN_SITE, _WITH_PORT, _NO_CODE),
    }
)
"""What a refused link may be, in every wording of UnsupportedLink's `detail`; a name may follow in
brackets. For whoever translates them."""

# The name part of a post link may be missing or a placeholder: TikTok goes by the id alone.
_NAMELESS = frozenset({"@", "@_", "@i"})


def is_name(text: str) -> bool:
    """True when `text` can be an account's name: 2-24 letters, digits, `_`, `.`, no final dot."""
    return _NAME.fullmatch(text) is not None


def canonical_url(target: Target) -> str:
    """The public address of a target, without tracking: what to show, store and link to."""
    if target.short_url is not None:
        return target.short_url
    owner = target.name or target.user_id or target.sec_uid or "_"
    if target.item_id is None:
        return f"https://www.tiktok.com/@{owner}"
    # Without a name only the video form works: the server ignores its name part.
    form = "story" if target.kind is TargetKind.STORY and owner != "_" else "video"
    return f"https://www.tiktok.com/@{owner}/{form}/{target.item_id}"


def find_lines(text: str) -> list[str]:
    """The lines to parse in pasted text, in order; blank ones are left out.

    A share text is one line, also when the app broke it into several. A line of several names or
    links, "@a @b, @c", is several. A sentence that mentions names with "@" gives each of them. A
    sentence with none of these stays one line, for parse_line to refuse.
    """
    lines = [line for line in (_plain(line) for line in text.splitlines()) if line]
    if _is_one_share_text(lines):
        return [" ".join(lines)]
    return [part for line in lines for part in _parts(line)]


def parse_line(text: str, *, now: datetime | None = None) -> Target:
    """What one line asks for: a name, a link, or the text around the first TikTok link.

    now: aware; when given, an id that claims to be posted more than a day later than this is
    refused as mistyped. Raises NotUnderstood, or UnsupportedLink whose `detail` says in words what
    the link is instead ("a tag page", "another site (example.com)").
    """
    if len(text) > MAX_LINE:
        raise NotUnderstood("the line is too long")
    line = _plain(text)
    if not line:
        raise NotUnderstood("the line is empty")
    target = _from_word(line) if _is_one_word(line) else _from_prose(line)
    if now is not None and target.item_id is not None:
        posted_s = int(target.item_id) >> 32
        if posted_s > (now + timedelta(days=1)).timestamp():
            raise NotUnderstood("the id in this link is mistyped: its date lies in the future")
    return target


def parse_url(url: str) -> Target:
    """What one address asks for, and nothing but an address: not the first link in a text.

    For an answer's Location, which a site chooses. Raises as parse_line.
    """
    return _from_link(url, follows="")


# --- words, lines and prose -------------------------------------------------------------------


def _plain(text: str) -> str:
    """The text as it was meant: full-width forms folded, invisible characters and edges gone."""
    if not text.isascii():
        text = _FULL_WIDTH_END.sub(r"\g<0> ", text)
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return text.strip()


def _is_one_word(line: str) -> bool:
    return len(line.split(None, 1)) == 1


def _is_one_share_text(lines: list[str]) -> bool:
    """True for one link with lines of prose around it, which may mention one name.

    A link that is refused makes no share text: it and the lines around it are each told what is
    wrong with them.
    """
    if not 1 < len(lines) <= _MAX_SHARE_LINES:
        return False
    with_link = [line for line in lines if _has_link(line)]
    others = [line for line in lines if not _has_link(line)]
    return (
        len(with_link) == 1
        and len(_parts(with_link[0])) == 1
        and all(map(_is_prose, others))
        and sum(len(set(_MENTION.findall(line))) for line in others) <= 1
        and _is_understood(" ".join(lines))
    )


def _is_understood(line: str) -> bool:
    try:
        parse_line(line)
    except InputError:
        return False
    return True


def _has_link(line: str) -> bool:
    return any(not _is_advert(link[0]) for link in _LINK.finditer(line))


def _is_advert(link: str) -> bool:
    return _ADVERT.match(link.rstrip(_TRAILING)) is not None


def _is_prose(line: str) -> bool:
    """True for a line that is neither a name nor a list of names; its only links are adverts.

    Of single words only those are prose that nobody means as a name, not even a mistyped one.
    """
    if _LINK.search(line):
        return True
    words = [word for word in line.split() if not _LIST_MARK.fullmatch(word)]
    if len(words) == 1:
        word = words[0].strip(_EDGES).rstrip(_TRAILING)
        return word.startswith("#") or word.lower() == "tiktok" or not _NAME_LIKE.search(word)
    return not _listed(" ".join(words))


def _parts(line: str) -> list[str]:
    listed = _listed(line)
    if not listed and _LINK.search(line) is None:
        mentions = [mention.rstrip(".-") for mention in _MENTION.findall(line)]
        return [f"@{mention}" for mention in dict.fromkeys(mentions)] or [line]
    return listed or [line]


def _listed(line: str) -> list[str]:
    """The words of a line that is nothing but names and links; [] for any other line.

    Names alone do not make one, as any words could be names: one of them is marked, or the only.
    """
    has_link = _LINK.search(line) is not None
    separators = _SEPARATORS_BESIDE_LINKS if has_link else _SEPARATORS
    words = [word for word in separators.split(line) if word]
    if len(words) < 2 or all(map(_is_marked, words)):
        return words
    commas = _COMMAS_BESIDE_LINKS if has_link else _COMMAS
    pieces = [piece for piece in map(str.strip, commas.split(line)) if piece]
    if any(map(_is_marked, pieces)) and all(_is_marked(p) or is_name(p) for p in pieces):
        return pieces
    return []


def _is_marked(word: str) -> bool:
    """True for a word that is plainly a name or a link: it starts with "@", or is a whole link."""
    bare = word.strip(_EDGES)
    if bare.startswith(("@", "%40")):
        return _MENTION.fullmatch("@" + bare.removeprefix("%40").removeprefix("@")) is not None
    return _LINK.fullmatch(bare) is not None


def _from_word(word: str) -> Target:
    for candidate in (word, word.rstrip(_TRAILING), *_undressed(word)):
        _refuse_host(candidate.lower())
        user = _user(candidate[3:] if candidate[:3] == "%40" else candidate.removeprefix("@"))
        if user is not None:
            return user
    return _from_prose(word)


def _undressed(word: str) -> Iterator[str]:
    """The word without quotes and emphasis, layer by layer.

    `_` is emphasis too, but also a part of names: it goes only where it stands on both sides, or
    before an "@", and only after the word with it turned out to be no name.
    """
    for _ in range(_MAX_DRESSED):
        word = word.strip(_QUOTES).rstrip(_TRAILING)
        yield word
        if word[:1] != "_":
            return
        if word[-1] == "_":
            word = word[1:-1]
        elif word[1:2] == "@":
            word = word[1:]
        else:
            return


_SUBDOMAIN = re.compile(r"(?:[a-z0-9\-]+\.)+tiktok\.com")


def _refuse_host(host: str) -> None:
    """Refuse a bare host of TikTok's: by its letters it could be a name."""
    if host in PAGE_HOSTS:
        raise UnsupportedLink(_HOME)
    if _SUBDOMAIN.fullmatch(host):
        raise UnsupportedLink(_OTHER_HOSTS.get(host) or _other_site(host))


def _from_prose(line: str) -> Target:
    """The first TikTok link in the line; else the refusal of its first link; else a mention."""
    refusal: InputError | None = None
    for match in _LINK.finditer(line):
        link = match[0].rstrip(_TRAILING)
        try:
            return _from_link(link, follows=line[match.end() : match.end() + 1])
        except InputError as error:
            if _is_ours(link) and not _is_advert(link):
                raise
            refusal = refusal or error
    if refusal is not None:
        raise refusal
    for mention in _MENTION.findall(line):
        user = _user(mention.rstrip(".-"))
        if user is not None:
            return user
    raise NotUnderstood


def _user(name: str) -> Target | None:
    """The account that a name, an id or a secUid stands for; None when it is none of them."""
    if _SEC_UID.fullmatch(name):
        return Target(kind=TargetKind.USER, sec_uid=name)
    if not is_name(name):
        return None
    # An all-digit name is legal, and so is an id in its place: the name is tried first.
    user_id = name if _USER_ID.fullmatch(name) else None
    return Target(kind=TargetKind.USER, name=name.lower(), user_id=user_id)


# --- links ------------------------------------------------------------------------------------


def _is_ours(link: str) -> bool:
    parts = _URL_PARTS.fullmatch(link)
    return parts is not None and is_tiktok_page_host(parts["authority"])


def _from_link(link: str, *, follows: str) -> Target:
    """What a link points at. follows: the character after it in the text, "" at the end."""
    parts = _URL_PARTS.fullmatch(link)
    if parts is None or (not parts["scheme"] and not parts["path"] and "@" in parts["authority"]):
        raise NotUnderstood  # an e-mail address, most likely
    scheme = (parts["scheme"] or "https").lower()
    if scheme not in {"https", "http"}:
        raise UnsupportedLink(f"{_OTHER_KIND} ({scheme[:20]})")
    host = _host(parts["authority"])
    if follows.isalnum() and not parts["path"]:
        # The host goes on, in letters that at best look like ours.
        raise UnsupportedLink(_OTHER_SITE)
    if not is_tiktok_page_host(host):
        raise UnsupportedLink(_OTHER_HOSTS.get(host) or _other_site(host))
    segments = _segments(parts["path"])
    if host in {"vm.tiktok.com", "vt.tiktok.com"}:
        return _short(f"https://{host}/", segments)
    if segments[:1] == ["t"]:
        return _short("https://www.tiktok.com/t/", segments[1:])
    if not segments:
        raise UnsupportedLink(_HOME)
    # Scripts written without spaces may touch a link; other letters are part of what was meant.
    goes_on = _MARK.match(follows) or (follows.isalnum() and follows < _UNSPACED)
    if goes_on and parts["query"] is None and (link[-1].isalnum() or link[-1] == "_"):
        raise NotUnderstood("the link goes on in letters TikTok does not use")
    return _from_path(segments, is_story=_story_marks(parts["query"] or ""))


def _host(authority: str) -> str:
    """The host alone, lower case. A user part, a port or a trailing dot is refused."""
    if "@" in authority:
        raise UnsupportedLink(_HIDDEN_SITE)
    with_port = _HOST_WITH_PORT.fullmatch(authority)
    if with_port:
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


def _short(base: str, segments: list[str]) -> Target:
    if len(segments) != 1 or not _SHORT_CODE.fullmatch(segments[0]):
        raise UnsupportedLink(_NO_CODE)
    return Target(kind=TargetKind.SHORT, short_url=f"{base}{segments[0]}/")


def _story_marks(query: str) -> bool:
    """True when the link says "story". Only asked before the tracking is dropped with the rest."""
    asked: dict[str, str] = {}
    for pair in query.replace("&amp;", "&").split("&"):
        key, _, value = pair.partition("=")
        asked.setdefault(key.lower(), value)
    told = asked.get("story_type")
    if told in {"0", "1"}:
        return told == "1"
    return asked.get("aweme_type") == "40"


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
    """`/@name` and what may follow it."""
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
    user = _user(owner.removeprefix("@"))
    if user is None:
        raise NotUnderstood("the link holds no TikTok name")
    return user


def _item(kind: TargetKind, item_id: str, owner: str = "@") -> Target:
    if not _ITEM_ID.fullmatch(item_id):
        raise NotUnderstood("the link holds no post or story id")
    user = None if owner in _NAMELESS else _user(owner.removeprefix("@"))
    if user is None:
        return Target(kind=kind, item_id=item_id)
    return Target(
        kind=kind, name=user.name, user_id=user.user_id, sec_uid=user.sec_uid, item_id=item_id
    )

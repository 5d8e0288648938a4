"""Kinds of change at TikTok: each as the fake can show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fake_tiktok import FakeTikTok, scripts
from tests.survival.scenes import NAME, SMALL_H264, Scene, clip, linked, usual

Apply = Callable[[FakeTikTok], None]
Make = Callable[[FakeTikTok], Scene]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One kind of change. scenes: what it is tried on, by what is pasted.

    true: further codes that say the truth of it. known: the account was looked up before. learn:
    what a protocol pack that knows of it changes in the built-in document; None for no such pack.
    """

    name: str
    apply: Apply
    scenes: Mapping[str, Make] = field(default_factory=lambda: {"account": usual, "link": linked})
    true: frozenset[str] = frozenset()
    known: bool = False
    learn: Callable[[dict[str, Any]], None] | None = None


CHANGES: list[Change] = []


def _add(
    name: str,
    apply: Apply,
    *true: str,
    known: bool = False,
    scenes: Mapping[str, Make] | None = None,
) -> None:
    more: dict[str, Any] = {} if scenes is None else {"scenes": scenes}
    CHANGES.append(Change(name=name, apply=apply, true=frozenset(true), known=known, **more))


def _faults(kind: str | int, *what: Any, **options: Any) -> Apply:
    """The same fault for each of several subjects."""

    def apply(tiktok: FakeTikTok) -> None:
        for subject in what:
            tiktok.fault(subject, kind, **options)

    return apply


def _setting(name: str, value: object) -> Apply:
    return lambda tiktok: setattr(tiktok, name, value)


def _rewritten(words: Mapping[str, str], *what: str) -> Apply:
    return _faults("rewritten", *what, words=words)


ASKED: Final = ("pages", "list")

# --- who is asked as ------------------------------------------------------------------------------


def _refused(**agent: Any) -> Apply:
    """Pages and lists for none of these agents; files are served to everyone."""
    return _faults(403, *({"endpoint": endpoint, **agent} for endpoint in (*ASKED, "oembed")))


_add("nothing changed", lambda tiktok: None)
_add("our first fingerprint refused", _refused(agent="Macintosh", hints='"150"'))
_add(
    "every fingerprint of ours refused, a plain program served",
    _refused(agent="Macintosh"),
)
_add("a Referer wanted on pages", _faults(403, {"endpoint": "pages", "referer": False}))
_add("headless browsers refused", _refused(headless=True))
_add("browsers refused, programs served", _refused(browser=True))
_add("programs refused, browsers served", _refused(browser=False))
_add("everyone refused (403)", _faults(403, "any"))
_add("asked to slow down (429)", _faults(429, "any", retry_after=30))

# --- what has to run ------------------------------------------------------------------------------

_add("a challenge that ours solves", _faults("challenge", *ASKED, reach=50))
_add("a challenge of an unknown kind", _faults("script_wall", "any", shut=True))
_add("a wall that only a script passes", _faults("script_wall", "any"))
_add(
    "the same with its script on a host of its own",
    _faults("script_wall", "any", host=scripts.SCRIPT_HOST),
)
_add("a list of zero bytes unless signed", _setting("signed_list", "zero"))
_add("an empty list unless signed, profile says stories", _setting("signed_list", "hollow"))


def _asking_and_signed(tiktok: FakeTikTok) -> None:
    tiktok.page_asks, tiktok.signed_list = True, "zero"


_add("signed, and the page asks by itself", _asking_and_signed)
_add("pages redirected to the login", _faults("login", *ASKED))
_add(
    "pages redirected to a captcha",
    _faults("redirect", *ASKED, to="https://www.tiktok.com/captcha?from=x"),
)
_add("pages that leave for the login by script", _faults("script_redirect", "pages", to="/login"))
_add("pages that leave for a captcha by script", _faults("script_redirect", "pages", to="/captcha"))
_add("a captcha in place of the list", _faults("captcha", "list"))

_add("pages that try to reach elsewhere, and lie", _faults("hostile", "pages"))
_add("pages whose script never ends", _faults("hostile", "pages", tricks=["spin"]))

# --- what is held back ----------------------------------------------------------------------------

_add("an empty list, profile says stories", _faults("hollow", "list"))


def _nothing_seen(tiktok: FakeTikTok) -> None:
    tiktok.fault("pages", 403)
    tiktok.fault("list", "hollow")


_add("an empty list of an account looked up before, its pages refused", _nothing_seen, known=True)
_add("an empty list, TotalCount says three", _faults("withheld", "list"))
_add("zero bytes for everything", _faults("empty", *ASKED))
_add("a list of zero bytes", _faults("empty", "list"))
_add("pages without their data", _faults("changed", "pages"))


def _broken_off(tiktok: FakeTikTok) -> None:
    tiktok.most_per_page = 1
    tiktok.fault("list", "stuck")


_add("a list broken off", _broken_off)

# --- where things are -----------------------------------------------------------------------------

_VIDEO_HOSTS = {"-webapp-prime.tiktok.com": "-webapp-prime.tiktokfiles.com"}
_PICTURE_HOSTS = {"-common-sign.tiktokcdn.com": "-common-sign.tiktokfiles.com"}
_MEDIA_HOSTS = {
    **_VIDEO_HOSTS,
    **_PICTURE_HOSTS,
    ".tiktokcdn-eu.com": ".tiktokfiles.com",
    "www.tiktok.com/aweme": "www.tiktokfiles.com/aweme",
    "www.tiktok.com\\u002Faweme": "www.tiktokfiles.com\\u002Faweme",
}
_add("media on an unknown host", _rewritten(_MEDIA_HOSTS, *ASKED))
_add("pages on an unknown host", _faults("redirect", *ASKED, to="https://www.tiktok-web.com/@a"))
_add("the list at another path (404)", _faults(404, "list"))
_add("every page at another path (404)", _faults(404, "pages", "oembed"))
_add("a media host that refuses", _faults(403, {"host": "v16-"}, {"host": "p16-"}))
_add("every media host refuses", _faults(403, "media", "play"))

# --- what answers look like -----------------------------------------------------------------------

_add("an unknown code of the list", _faults("code", "list", code=77_777))
_add("an unknown code of pages", _faults("code", "pages", code=77_777))
_add(
    "unknown words beside a known code",
    _faults("code", *ASKED, code=10204, message="status_quarantined"),
    "unavailable",
)
_SCRIPT = {"__UNIVERSAL_DATA_FOR_REHYDRATION__": "__WEB_DATA__", "__FRONTITY_": "__EMBED_"}
_add("the pages' data script renamed", _rewritten(_SCRIPT, "pages"))
_KEYS = {"webapp.user-detail": "webapp.account", "webapp.video-detail": "webapp.item"}
_add("the pages' keys moved", _rewritten(_KEYS, "pages"))
_add("an account's fields renamed", _rewritten({'"uniqueId"': '"handle"'}, *ASKED))
_add(
    "an item's fields renamed",
    _rewritten({'"imagePost"': '"pictures"', '"video":': '"clip":'}, *ASKED),
)
_add("the list's items renamed", _rewritten({'"itemList"': '"stories"'}, "list"))
_add(
    "the list's items and its count renamed",
    _rewritten({'"itemList"': '"stories"', '"TotalCount"': '"total"'}, "list"),
)
_add("a web page in place of the list", _faults("html", "list"))
_add("kept from this country", _faults("code", *ASKED, code=10231), "region_locked")


def _only_dash(tiktok: FakeTikTok) -> Scene:
    story = clip(tiktok.account(NAME))
    story.renditions = [tiktok.accounts[NAME].add_dash(story, SMALL_H264[1])]
    return Scene(line=NAME, stories=(story,), joined=True)


def _silent(tiktok: FakeTikTok) -> Scene:
    return Scene(line=NAME, stories=(clip(tiktok.account(NAME), audio=False),))


_add("only silent DASH gears beside their sound", lambda _: None, scenes={"account": _only_dash})
_add("a story that is silent", lambda _: None, scenes={"account": _silent})

# --- the line -------------------------------------------------------------------------------------

_add("everything fails (503)", _faults(503, "any"))
_add("nobody answers", _faults("silent", "any"))
_add("a page that never ends", _faults("stall", *ASKED, after=200))
_add("slow pages and lists", _faults("slow", *ASKED, bytes_per_s=16_000))
_add("addresses that ran out before they were used", _faults("expired", "media", times=3))

# --- with and without a pack ----------------------------------------------------------------------

_NEW_HOSTS = {
    "-webapp-prime.tiktok.com": "-web.tiktokcdn-in.com",
    "-common-sign.tiktokcdn.com": "-common-sign.tiktokcdn-in.com",
    "v45.tiktokcdn-eu.com": "v45.tiktokcdn-in.com",
    "www.tiktok.com/aweme": "v16.tiktokcdn-in.com/aweme",
    "www.tiktok.com\\u002Faweme": "v16.tiktokcdn-in.com\\u002Faweme",
}
_NEW_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) {} Safari/537.36"
)


def _with_pack(name: str, apply: Apply, learn: Callable[[dict[str, Any]], None]) -> None:
    """Once as it is, and once after a pack that knows of it."""
    _add(name, apply)
    CHANGES.append(Change(name="— the same after a pack", apply=apply, learn=learn))


def _list_elsewhere(document: dict[str, Any]) -> None:
    document["endpoints"]["story_list"]["url"] = "https://www.tiktok.com/api/story/v2/list/"


def _media_host(document: dict[str, Any]) -> None:
    document["hosts"]["media"].append("tiktokcdn-in.com")


def _another_identity(document: dict[str, Any]) -> None:
    first = dict(document["identities"]["curl"][0], name="chrome142", tls_target="chrome142")
    first["user_agent"] = _NEW_AGENT.format("Chrome/142.0.0.0")
    first["client_hints"] = [["sec-ch-ua", '"Chromium";v="142"']]
    document["identities"]["curl"].insert(0, first)


def _media_elsewhere(tiktok: FakeTikTok) -> None:
    # The cookie that addresses are tied to is of tiktok.com.
    tiktok.needs_token = False
    _rewritten(_NEW_HOSTS, *ASKED)(tiktok)


def _ours_refused(tiktok: FakeTikTok) -> None:
    _refused(agent="Macintosh")(tiktok)
    _refused(browser=False)(tiktok)


_with_pack(
    "the list at a path that is known by now",
    _setting("list_path", "/api/story/v2/list/"),
    _list_elsewhere,
)
_with_pack("media on a new host of TikTok's own", _media_elsewhere, _media_host)
_with_pack("every identity of ours refused", _ours_refused, _another_identity)

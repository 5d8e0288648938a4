"""Every outcome of a look-up: its scene on the fake, and the code that each way has to end with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fake_tiktok import FakeTikTok
from tests.survival.scenes import NAME, SMALL, Scene, clip, photo

Make = Callable[[FakeTikTok], Scene]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One outcome. code: of the error, or "saved", "empty", "partial" (results.Result.outcome).

    differs: by way, the codes that are as true, where a way cannot tell as much or gets further.
    "empty", "gone" and their like never are: they would be untrue.
    """

    name: str
    code: str
    make: Make
    differs: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def codes(self, way: str) -> frozenset[str]:
        """The codes that a way may end with."""
        return self.differs.get(way, frozenset({self.code}))


OUTCOMES: list[Outcome] = []


_COLUMNS = {"gallery_dl": "gallery-dl", "all_on": "all on"}


def outcome(code: str, **differs: str) -> Callable[[Make], Make]:
    """Declare a scene with the code it ends with. differs: way, spelt with "_", -> its codes."""

    def declare(make: Make) -> Make:
        by_way = {_COLUMNS[way]: frozenset(codes.split()) for way, codes in differs.items()}
        name = make.__name__.lstrip("_").replace("_", " ")
        OUTCOMES.append(Outcome(name=name, code=code, make=make, differs=by_way))
        return make

    return declare


# --- served -----------------------------------------------------------------------------------


@outcome("saved")
def _a_video(tiktok: FakeTikTok) -> Scene:
    return Scene(line=f"@{NAME}", stories=(clip(tiktok.account(NAME)),))


@outcome("saved")
def _a_photo(tiktok: FakeTikTok) -> Scene:
    return Scene(line=NAME, stories=(photo(tiktok.account(NAME)),))


@outcome("saved")
def _a_carousel(tiktok: FakeTikTok) -> Scene:
    return Scene(line=NAME, stories=(tiktok.account(NAME).carousel(3, **SMALL),))


@outcome("saved")
def _a_list_of_many_pages(tiktok: FakeTikTok) -> Scene:
    account = tiktok.account(NAME)
    tiktok.most_per_page = 2
    return Scene(line=NAME, stories=tuple(photo(account) for _ in range(7)))


@outcome("saved")
def _a_profile_link(tiktok: FakeTikTok) -> Scene:
    account = tiktok.account(NAME)
    return Scene(line=f"{account.url}?lang=en", stories=(photo(account),))


@outcome("saved")
def _a_story_link(tiktok: FakeTikTok) -> Scene:
    account = tiktok.account(NAME)
    photo(account)
    story = photo(account)
    return Scene(line=story.shared_url, stories=(story,))


@outcome("saved")
def _a_story_that_the_list_leaves_out(tiktok: FakeTikTok) -> Scene:
    story = photo(tiktok.account(NAME), listed=False)
    return Scene(line=story.url, stories=(story,))


@outcome("saved")
def _a_nameless_link(tiktok: FakeTikTok) -> Scene:
    story = photo(tiktok.account(NAME))
    line = f"https://www.tiktok.com/@/video/{story.id}?story_type=1"
    return Scene(line=line, stories=(story,))


@outcome("saved", gallery_dl="upstream_down")  # it follows none
def _a_short_link(tiktok: FakeTikTok) -> Scene:
    story = photo(tiktok.account(NAME))
    return Scene(line=tiktok.short_link("ZM123", to=story, hops=2), stories=(story,))


@outcome("saved")
def _an_ordinary_post_that_is_wanted(tiktok: FakeTikTok) -> Scene:
    post = tiktok.account(NAME).post("photo", **SMALL)
    return Scene(line=post.url, stories=(post,), posts=True)


@outcome("saved")
def _a_stale_hint(tiktok: FakeTikTok) -> Scene:
    account = tiktok.account(NAME, story_status=0)
    return Scene(line=NAME, stories=(photo(account),))


# --- what is TikTok's answer --------------------------------------------------------------------


@outcome("empty")
def _no_story(tiktok: FakeTikTok) -> Scene:
    tiktok.account(NAME)
    return Scene(line=NAME)


@outcome("empty")
def _a_day_that_is_over(tiktok: FakeTikTok) -> Scene:
    tiktok.account(NAME).expired(**SMALL)
    return Scene(line=NAME)


@outcome("private_account")
def _a_private_account(tiktok: FakeTikTok) -> Scene:
    photo(tiktok.account(NAME, private=True))
    return Scene(line=NAME)


@outcome("private_account")
def _an_account_that_its_list_alone_calls_private(tiktok: FakeTikTok) -> Scene:
    photo(tiktok.account(NAME, user={"secret": False, "privateAccount": False}, secret=True))
    return Scene(line=NAME)


@outcome("no_such_account")
def _an_unknown_account(tiktok: FakeTikTok) -> Scene:
    tiktok.account("bob")
    return Scene(line="nobody.here")


@outcome("age_restricted")
def _an_account_for_adults(tiktok: FakeTikTok) -> Scene:
    photo(tiktok.account(NAME))
    tiktok.fault("list", "code", code=10204, message="content_classification")
    return Scene(line=NAME)


@outcome("age_restricted")
def _a_story_for_adults(tiktok: FakeTikTok) -> Scene:
    item: dict[str, Any] = {"isContentClassified": True, "imagePost": None, "video": {}}
    story = photo(tiktok.account(NAME), item=item)
    return Scene(line=story.shared_url)


@outcome("region_locked")
def _an_account_kept_from_this_country(tiktok: FakeTikTok) -> Scene:
    photo(tiktok.account(NAME))
    tiktok.fault("list", "code", code=10231)
    return Scene(line=NAME)


@outcome("region_locked")
def _a_story_kept_from_this_country(tiktok: FakeTikTok) -> Scene:
    story = photo(tiktok.account(NAME), listed=False)
    story.page_code, story.page_message = 10204, "person_geofencing"
    story.embed = {"itemInfos": None, "imagePostInfo": None}
    return Scene(line=story.shared_url)


@outcome("gone", gallery_dl="unavailable")  # it asks for one page, which proves nothing
def _an_expired_story(tiktok: FakeTikTok) -> Scene:
    story = tiktok.account(NAME).expired(listed=False, **SMALL)
    return Scene(line=story.url)


@outcome("gone", gallery_dl="unavailable")
def _a_deleted_story(tiktok: FakeTikTok) -> Scene:
    account = tiktok.account(NAME)
    photo(account)
    item_id = tiktok.new_id(tiktok.now() - 3600)
    return Scene(line=f"https://www.tiktok.com/@{NAME}/story/{item_id}")


@outcome("unavailable")
def _a_story_under_review(tiktok: FakeTikTok) -> Scene:
    story = photo(tiktok.account(NAME), listed=False)
    story.page_code, story.page_message = 10204, "status_reviewing"
    story.embed = {"itemInfos": None, "imagePostInfo": None}
    return Scene(line=story.shared_url)


@outcome("not_a_story")
def _an_ordinary_post(tiktok: FakeTikTok) -> Scene:
    post = tiktok.account(NAME).post("photo", **SMALL)
    return Scene(line=post.url)


@outcome("private_post")
def _a_post_for_friends(tiktok: FakeTikTok) -> Scene:
    post = tiktok.account(NAME).post("photo", **SMALL)
    post.page_code, post.page_message = 10204, "status_friend_see"
    post.embed = {"itemInfos": None, "imagePostInfo": None}
    return Scene(line=post.url, posts=True)


@outcome("dead_short_link", gallery_dl="upstream_down")
def _a_dead_short_link(tiktok: FakeTikTok) -> Scene:
    return Scene(line=tiktok.short_link("ZMdead", to=None))


# --- kept from us -------------------------------------------------------------------------------


def _shut(kind: str | int, what: str = "any", **options: Any) -> Make:
    def make(tiktok: FakeTikTok) -> Scene:
        story = photo(tiktok.account(NAME))
        tiktok.fault(what, kind, **options)
        return Scene(line=NAME, stories=(story,))

    return make


def _named(name: str, code: str, make: Make, **differs: str) -> None:
    make.__name__ = name.replace(" ", "_")
    outcome(code, **differs)(make)


_named("asked to slow down", "rate_limited", _shut(429))
_named("the list asks to slow down", "rate_limited", _shut(429, "list"))
_named("refused", "refused", _shut(403))
_named("the list is refused", "refused", _shut(403, "list"))
_named("the list is zero bytes", "refused", _shut("empty", "list"))
_named("a system error", "refused", _shut("system_error", "pages"))
_named("the list wants a captcha", "refused", _shut("captcha", "list"))
_named("a login wall", "login_required", _shut("login", "pages"))
_named("a list that leads to the login", "login_required", _shut("login", "list"))
_named("pages without their data", "refused", _shut("changed"))
# The items that gallery-dl prints name their author.
_named(
    "pages that changed",
    "upstream_changed",
    _shut("rewritten", "pages", words={"uniqueId": "u"}),
    gallery_dl="saved",
    all_on="saved",
)
_named("a list that changed", "upstream_changed", _shut("changed", "list"))
_named("a list held back", "upstream_down", _shut("withheld", "list"))
_named("an unknown code", "unknown_answer", _shut("code", "list", code=77_777))
_named("a site that is down", "upstream_down", _shut(503))
_named("nobody answers", "upstream_down", _shut("silent"))


@outcome("challenged")
def _challenged_whatever_the_answer(tiktok: FakeTikTok) -> Scene:
    photo(tiktok.account(NAME))
    tiktok.fault("pages", "challenge_again", reach=50)
    tiktok.fault("list", "challenge_again", reach=50)
    return Scene(line=NAME)


@outcome("saved")
def _challenged_once(tiktok: FakeTikTok) -> Scene:
    account = tiktok.account(NAME)
    tiktok.fault("profile", "challenge", times=1, reach=50)
    return Scene(line=NAME, stories=(photo(account),))


@outcome("partial")
def _a_list_broken_off(tiktok: FakeTikTok) -> Scene:
    account = tiktok.account(NAME)
    tiktok.most_per_page = 2
    stories = tuple(photo(account) for _ in range(4))
    tiktok.fault("list", "stuck")
    return Scene(line=NAME, stories=stories[:2])


@outcome("partial")
def _one_story_that_cannot_be_read(tiktok: FakeTikTok) -> Scene:
    account = tiktok.account(NAME)
    first, last = photo(account), photo(account)
    photo(account, item={"imagePost": {"images": [{"imageURL": {"urlList": []}}]}, "video": {}})
    return Scene(line=NAME, stories=(first, last))


@outcome("partial")
def _one_private_story(tiktok: FakeTikTok) -> Scene:
    account = tiktok.account(NAME)
    first = photo(account)
    photo(account, item={"privateItem": True})
    return Scene(line=NAME, stories=(first,))

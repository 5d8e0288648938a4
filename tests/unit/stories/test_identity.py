"""Identities: what each claims to be, and their order."""

from __future__ import annotations

from typing import Literal

import pytest
from curl_cffi import BrowserType

from stories.http.headers import Purpose, page_headers
from stories.identity import Identity, by_name, following, identity_ladder

LADDERS: tuple[Literal["curl", "httpx"], ...] = ("curl", "httpx")
ALL = {identity.name: identity for kind in LADDERS for identity in identity_ladder(kind)}


def sent_by(identity: Identity, purpose: Purpose = Purpose.NAVIGATE) -> dict[str, str]:
    return dict(page_headers(purpose, identity, referer=None, encodings="gzip"))


@pytest.mark.parametrize("kind", LADDERS)
def test_a_ladder_begins_with_todays_browser_and_then_adds_a_referer(
    kind: Literal["curl", "httpx"],
) -> None:
    usual, second, *others = identity_ladder(kind)
    assert "Referer" not in sent_by(usual)
    assert sent_by(second) == {
        **sent_by(usual),
        "Referer": "https://www.tiktok.com/",
        "Sec-Fetch-Site": "same-origin",
    }
    assert len({identity.name for identity in (usual, second, *others)}) == 2 + len(others)
    assert others[-1].tls_target is None


def test_every_tls_target_is_pinned_and_known_to_curl() -> None:
    targets = {identity.tls_target for identity in ALL.values()} - {None}
    assert len(targets) >= 2
    assert targets <= {browser.value for browser in BrowserType}
    for target in targets:
        assert target
        assert target[-1].isdigit(), "a target without a version would move"


def test_without_curl_there_is_no_tls_target_to_try() -> None:
    assert {identity.tls_target for identity in identity_ladder("httpx")} == {None}


@pytest.mark.parametrize("identity", ALL.values(), ids=lambda identity: identity.name)
def test_the_hints_agree_with_the_user_agent(identity: Identity) -> None:
    headers = sent_by(identity)
    if not identity.browser:
        assert not {name for name in headers if name.lower().startswith("sec-")}
        return
    version = identity.user_agent.partition("Chrome/")[2].partition(".")[0]
    assert f'"Chromium";v="{version}"' in headers["sec-ch-ua"]
    assert identity.tls_target in {None, f"chrome{version}"}


def test_a_short_link_looks_like_a_preview_whoever_asks() -> None:
    assert len({str(sent_by(identity, Purpose.PREVIEW)) for identity in ALL.values()}) == 1


def test_a_name_of_another_version_means_the_usual_identity() -> None:
    ladder = identity_ladder("curl")
    assert by_name(ladder, "plain").name == "plain"
    for name in (None, "", "chrome99", "httpx"):
        assert by_name(ladder, name) is ladder[0]


def test_after_the_last_comes_the_first() -> None:
    ladder = identity_ladder("curl")
    order = [ladder[0]]
    for _ in ladder:
        order.append(following(ladder, order[-1]))
    assert tuple(order) == (*ladder, ladder[0])

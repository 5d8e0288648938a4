"""An address in a sample leads nowhere and is read like the one it stands for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stories.neutral.addresses import neutral_address, neutral_path
from stories.neutral.substitutes import REFERENCE, Substitutes
from stories.wire.addresses import read_addresses, stored_path

BEGAN = datetime(2026, 11, 30, 5, 0, tzinfo=UTC)
HEX = "72a1752f07c862255bbe900e08564cf8"


@pytest.fixture
def subs() -> Substitutes:
    return Substitutes(BEGAN)


@pytest.mark.parametrize(
    ("address", "made"),
    [
        ("//p16.tiktokcdn.com/Secret~tplv.jpeg", "//p16.tiktokcdn.com/t1"),
        ("http://v16.tiktokcdn.com/media-video-hvc1/", "http://v16.tiktokcdn.com/media-video-hvc1/"),
        ("v16.tiktokcdn.com/aweme/v1/play/", "v16.tiktokcdn.com/aweme/v1/play/"),
        ("https:\\u002F\\u002Fv16.tiktokcdn.com\\u002Fobj", "https://v16.tiktokcdn.com/obj"),
        ("https://www.tiktok.com/login?redirect_url=Secret",
         "https://www.tiktok.com/login?redirect_url=t1"),
        ("https://us.tiktok.com/", "https://us.tiktok.com/"),
        ("https://cdn.unknown.example/Secret", "https://cdn.unknown.example/t1"),
        ("https://cdn.unknown.example:8443/Secret", "//cdn.unknown.example/t1"),
        ("https://me:Secret@cdn.unknown.example/", None),
        ("https://192.168.0.1/Secret", None),
        ("https://v16.tiktokcdn.com:8443/Secret", None),
        ("cdn.unknown.example/Secret", None),
        ("secret.example", None),
        ("Secret words, no address", None),
        ("https://v16.tiktokcdn.com/" + "x" * 5000, None),
    ],
)  # fmt: skip
def test_addresses(subs: Substitutes, address: str, made: str | None) -> None:
    assert neutral_address(address, subs, any_host=True) == made


def test_times_and_marks_stay_and_signatures_go(subs: Substitutes) -> None:
    start = (
        f"https://v16m.tiktokcdn-us.com/{HEX}/{int(BEGAN.timestamp()):08x}/video/tos/x9/oSecret/"
    )
    query = "?a=1233&bti=Secret&mime_type=video_mp4&signature=Secret&tk=tt_chain_token"
    made = neutral_address(start + query, subs, any_host=True)
    until = f"{int(REFERENCE.timestamp()):08x}"
    assert made == (
        f"https://v16m.tiktokcdn-us.com/{1:032d}/{until}/video/tos/t1/t2/"
        "?a=t3&bti=t4&mime_type=video_mp4&signature=t4&tk=tt_chain_token"
    )
    signed = f"https://p16.tiktokcdn.com/x?x-expires={int(BEGAN.timestamp())}&x-signature=Secret"
    assert neutral_address(signed, subs, any_host=True) == (
        f"https://p16.tiktokcdn.com/t5?x-expires={int(REFERENCE.timestamp())}&x-signature=t4"
    )


def test_a_link_keeps_its_form(subs: Substitutes) -> None:
    link = "https://www.tiktok.com/@Alice/video/7000000000000000000?lang=Secret"
    item_id = subs.item_id("7000000000000000000")
    assert neutral_address(link, subs, any_host=False) == (
        f"https://www.tiktok.com/@user1/video/{item_id}?lang=t1"
    )


def test_an_unknown_host_may_be_somebodys_own(subs: Substitutes) -> None:
    for address in ("https://alice.example/", "//alice.example/me", "https://alice.example:80/"):
        assert neutral_address(address, subs, any_host=False) is None
    assert neutral_address("https://www.tiktok.com/", subs, any_host=False) is not None


def test_mirrors_of_a_file_stay_mirrors_of_it(subs: Substitutes) -> None:
    paths = [
        neutral_address(
            f"https://{host}/{HEX}/6ab53c54/video/{name}/?x={host}", subs, any_host=True
        )
        for host in ("v16.tiktokcdn.com", "v19.tiktokcdn.com")
        for name in ("one", "two")
    ]
    stored = [stored_path(path or "") for path in paths]
    assert stored[0] == stored[2] != stored[1] == stored[3]


@settings(deadline=None)
@given(
    st.text(alphabet="abcXYZ0123456789/?&=~:.-_%@ ", max_size=60),
    st.sampled_from(["https://v16.tiktokcdn.com/", "//cdn.example/", "http://x.tiktok.com/", ""]),
)
def test_any_address_is_read_as_before(rest: str, start: str) -> None:
    address = f"{start}{rest}"
    made = neutral_address(address, Substitutes(BEGAN), any_host=True) or "(words)"
    before, after = read_addresses(address), read_addresses(made)
    assert len(after.urls) == len(before.urls)
    assert after.unknown_hosts == before.unknown_hosts
    assert (after.expires_at is None) == (before.expires_at is None)


def test_a_route_keeps_its_form(subs: Substitutes) -> None:
    assert neutral_path("/embed/@Alice/", subs) == "/embed/@user1/"
    assert neutral_path("/embed/v2/7000000000000000000", subs).startswith("/embed/v2/68")
    assert neutral_path("/secret/place", subs) == "/t1/t2"

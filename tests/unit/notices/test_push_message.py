"""What is handed to a push service, read by a decryption of our own."""

from __future__ import annotations

import json
from datetime import timedelta

import jwt
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec

from notices import push_message, vapid
from notices.push_message import UnusableKeys
from notices.wording import Text
from tests.factories import make_user
from tests.unit.notices.receiving import Browser, unb64

pytestmark = pytest.mark.django_db
TEXT = Text(title="5 files saved from @cats 🐈", body="Kept until 18:00.")


def test_the_decryption_of_these_tests_is_that_of_the_standard() -> None:
    """RFC 8291, appendix A."""
    private = int.from_bytes(unb64("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), "big")
    browser = Browser(private=private, auth=unb64("BTBZMqHH6r4Tts7J_aSIgg"))
    body = unb64(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
        "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
        "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert browser.decrypt(body) == b"When I grow up, I want to be a watermelon"


def test_a_browser_can_read_it_and_nobody_else() -> None:
    browser, other = Browser(), Browser()
    row = browser.subscribe(make_user())
    content = push_message.payload(
        TEXT, navigate="https://stories.example.org/jobs/1/", tag="t", language="de"
    )
    request = push_message.build(
        content,
        row,
        key=vapid.find_or_make(),
        contact="me@example.org",
        ttl=timedelta(hours=2),
        topic="0" * 32,
    )
    assert browser.read(request) == {
        "title": TEXT.title,
        "body": TEXT.body,
        "navigate": "https://stories.example.org/jobs/1/",
        "lang": "de",
        "tag": "t",
    }
    assert "cats" not in request.body.decode("latin-1")
    with pytest.raises(InvalidTag):
        other.decrypt(request.body)
    assert request.url == browser.endpoint
    assert not request.anywhere
    assert request.headers["TTL"] == "7200"
    assert request.headers["Topic"] == "0" * 32
    assert request.headers["Content-Encoding"] == "aes128gcm"


def test_it_is_signed_for_that_push_service_alone_with_a_real_address() -> None:
    row = Browser("https://web.push.apple.com/abc").subscribe(make_user())
    key = vapid.find_or_make()
    request = push_message.build(
        b"{}", row, key=key, contact="me@example.org", ttl=timedelta(hours=1), topic=""
    )
    scheme, _, rest = request.headers["Authorization"].partition(" ")
    told = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert scheme == "vapid"
    assert told["k"] == key.public == row.server_key
    point = unb64(told["k"])
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    claims = jwt.decode(
        told["t"], public, algorithms=["ES256"], audience="https://web.push.apple.com"
    )
    assert claims["sub"] == "mailto:me@example.org"
    assert "Topic" not in request.headers


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [
        (timedelta(hours=-2), "60"),
        (timedelta(days=9), str(9 * 86400)),
        (timedelta(days=60), str(28 * 86400)),
    ],
)
def test_a_push_service_keeps_it_within_bounds(ttl: timedelta, seconds: str) -> None:
    row = Browser().subscribe(make_user())
    request = push_message.build(
        b"{}", row, key=vapid.find_or_make(), contact="me@example.org", ttl=ttl, topic=""
    )
    assert request.headers["TTL"] == seconds


@pytest.mark.parametrize("letter", ["a", "ä", "🐈", '"', "\x00"])
def test_a_long_text_is_shortened_until_push_services_take_it(letter: str) -> None:
    browser = Browser()
    row = browser.subscribe(make_user())
    content = push_message.payload(
        Text(title=letter * 120, body=letter * 5000), navigate="https://x/", tag="t", language=""
    )
    request = push_message.build(
        content, row, key=vapid.find_or_make(), contact="a@b.cd", ttl=timedelta(1), topic=""
    )
    assert len(request.body) <= 4096
    assert browser.read(request)["body"].endswith("…")
    assert json.loads(content)["notification"]["lang"] == "en"


def test_keys_that_are_none_are_told() -> None:
    row = Browser().subscribe(make_user())
    row.p256dh = "BAAA"
    with pytest.raises(UnusableKeys):
        push_message.build(
            b"{}", row, key=vapid.find_or_make(), contact="a@b.cd", ttl=timedelta(1), topic=""
        )

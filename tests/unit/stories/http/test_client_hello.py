"""The server name in a ClientHello is found, or what was sent is none; nothing in between."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stories.http.client_hello import MAX_HELLO_BYTES, ClientHelloReader, NoClientHello
from tests.unit.stories.http.client_hellos import (
    GREASE,
    extension,
    message,
    name_extension,
    real_hello,
    records,
    vector,
)

HOST = "www.tiktok.com"
NAMED = name_extension(HOST.encode())


def read(data: bytes) -> str | None:
    return ClientHelloReader().feed(data)


def test_a_real_ones_name_is_found() -> None:
    assert read(real_hello(HOST)) == HOST


def test_a_name_is_read_in_lower_case() -> None:
    assert read(records(message(name_extension(b"WWW.TikTok.com")))) == HOST


def test_made_up_values_are_passed_over() -> None:
    """GREASE (RFC 8701), padding, a large key share, an encrypted inner hello."""
    extensions = (GREASE, extension(51, b"k" * 1300), NAMED, extension(0xFE0D, b"e" * 300))
    assert read(records(message(*extensions, extension(21, b"\0" * 500)))) == HOST


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 50, 200])
def test_it_may_be_spread_over_records(size: int) -> None:
    assert read(records(message(GREASE, NAMED), size=size)) == HOST


def test_what_comes_after_it_is_left_alone() -> None:
    """As the early data of a resumed session."""
    reader = ClientHelloReader()
    data = records(message(NAMED)) + records(b"early", kind=23)
    assert reader.feed(data) == HOST
    assert bytes(reader.data) == data


@settings(deadline=None)
@given(st.lists(st.integers(0, 700), max_size=20), st.integers(1, 700))
def test_it_may_arrive_in_any_pieces(cuts: list[int], size: int) -> None:
    data = records(message(GREASE, NAMED, extension(51, b"k" * 300)), size=size)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader = ClientHelloReader()
    names = [reader.feed(data[start:end]) for start, end in pairwise(edges)]
    assert names == [None] * (len(names) - 1) + [HOST]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(real_hello(None), id="a real one without a name"),
        pytest.param(records(message(GREASE)), id="no name"),
        pytest.param(records(message(NAMED, NAMED)), id="two extensions"),
        pytest.param(
            records(message(extension(0, vector(2 * (b"\0" + vector(b"www.tiktok.com", 2)), 2)))),
            id="two names",
        ),
        pytest.param(records(message(name_extension(HOST.encode(), kind=1))), id="another kind"),
        pytest.param(records(message(extension(0, b""))), id="an empty extension"),
        pytest.param(records(message(extension(0, vector(b"", 2)))), id="an empty list"),
        pytest.param(
            records(message(extension(0, vector(b"\0" + vector(b"www", 2), 2) + b"x"))),
            id="bytes behind the list",
        ),
        pytest.param(records(message(name_extension("ŵww".encode()))), id="not ASCII"),
        pytest.param(records(b"\x02" + message(NAMED)[1:]), id="a ServerHello"),
        pytest.param(records(message(NAMED) + b"\0"), id="a second message in its record"),
        pytest.param(
            records(b"\x01" + vector(message(NAMED)[4:-1], 3)), id="a field that ends too early"
        ),
        pytest.param(records(b"\x01" + vector(message(NAMED)[4:] + b"x", 3)), id="left over"),
        pytest.param(records(b"\x01" + vector(b"", 3)), id="an empty message"),
        pytest.param(records(message(NAMED), kind=23), id="application data"),
        pytest.param(records(message(NAMED), kind=21), id="an alert"),
        pytest.param(b"\x16\x03\x01\0\0", id="an empty record"),
        pytest.param(b"\x16\x03\x01\xff\xff", id="a record of 64 KiB"),
        pytest.param(b"\x16\x02\x00", id="an old version"),
        pytest.param(b"\x16\x03\x7f", id="a version that is none"),
        pytest.param(b"\x80\x2e\x01\x03\x01", id="the hello of SSL 2"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="plain HTTP"),
        pytest.param(b"SSH-2.0-x\r\n", id="SSH"),
        pytest.param(b"\0", id="a zero"),
        pytest.param(records(b"\x01\xff\xff\xff"), id="16 MiB announced"),
        pytest.param(
            records(message(NAMED, extension(21, b"\0" * MAX_HELLO_BYTES))), id="too long"
        ),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(NoClientHello):
        read(data)


def test_it_is_not_refused_before_it_is_whole() -> None:
    data = records(message(GREASE, NAMED), size=100)
    assert [read(data[:end]) for end in range(len(data))] == [None] * len(data)
    assert read(data) == HOST


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with suppress(NoClientHello):
        assert read(b"\x16\x03\x01" + data) is None
    with suppress(NoClientHello):
        read(records(b"\x01" + vector(data, 3)))
    with suppress(NoClientHello):
        read(records(message(data)))

"""What really leaves this machine: proxy, authorities, pinned addresses, curl fenced in."""

import asyncio
import gzip
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from curl_cffi import AsyncCurl, CurlError, CurlOpt
from httpx_curl_cffi import AsyncCurlTransport

from stories.config import ClientConfig
from stories.errors import StoriesError, UpstreamChanged, UpstreamDown
from stories.http import curl_loop, resolver
from stories.http.body import BodyTooLarge
from stories.http.headers import Purpose
from stories.http.resolver import Resolve
from stories.http.tls import CaFile
from stories.http.transports import CurlTransport, PooledTransport, to_httpx_error
from stories.identity import Identity, identity_ladder
from tests.unit.stories.http.loopback import Asked, Loopback, loopback, reply
from tests.unit.stories.http.mock_session import read
from tests.unit.stories.http.proxied_session import FILE, PAGE, say_ok, session_through

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[True, False], ids=["curl", "httpx"])
def curl(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def curl_transport(ca_file: CaFile, resolve: Resolve) -> CurlTransport:
    return CurlTransport(
        tls_target="chrome150", proxy=None, ca_file=ca_file, max_bytes=1000, resolve=resolve
    )


# --- proxy and authorities --------------------------------------------------------------------


async def test_everything_goes_through_the_proxy(
    tmp_path: Path, curl: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    async with loopback(tmp_path, say_ok) as server, session_through(server, curl=curl) as session:
        assert (await session.get_page(PAGE)).body == b"ok"
        assert await read(session, FILE) == b"ok"
        assert server.connects == ["www.tiktok.com:443", "v16-webapp-prime.tiktok.com:443"]


async def test_the_proxys_password_is_used(tmp_path: Path, curl: bool) -> None:
    async with loopback(tmp_path, say_ok) as server:
        server.credentials = "me:s%20cret@"
        async with session_through(server, curl=curl) as session:
            await session.get_page(PAGE)
            await read(session, FILE)
        given = [line for line in server.proxy_lines if line.lower().startswith("proxy-auth")]
        assert len(given) == 2
        assert {line.split(" ")[-1] for line in given} == {"bWU6cyBjcmV0"}


async def test_without_the_extra_authority_nothing_is_sent(tmp_path: Path, curl: bool) -> None:
    async with loopback(tmp_path, say_ok) as server:
        async with session_through(server, curl=curl, trusting=False) as session:
            with pytest.raises(UpstreamDown):
                await session.get_page(PAGE)
            with pytest.raises(UpstreamDown):
                await read(session, FILE)
        assert server.asked == []


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path, curl: bool) -> None:
    async with loopback(tmp_path, say_ok, names=("other.example",)) as server:
        async with session_through(server, curl=curl) as session:
            with pytest.raises(UpstreamDown):
                await session.get_page(PAGE)
            with pytest.raises(UpstreamDown):
                await read(session, FILE)
        assert server.asked == []


async def test_a_proxy_that_is_not_there(curl: bool) -> None:
    nobody = Loopback(port=1)
    async with session_through(nobody, curl=curl, trusting=False) as session:
        with pytest.raises(UpstreamDown):
            await session.get_page(PAGE)
        with pytest.raises(UpstreamDown):
            await read(session, FILE)


# --- addresses --------------------------------------------------------------------------------


async def test_a_name_that_resolves_to_this_machine_is_refused(tmp_path: Path) -> None:
    asked: list[str] = []

    async def rebound(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ("127.0.0.1", "::1", "10.0.0.1")

    async with loopback(tmp_path, say_ok, direct=True, names=("www.tiktok.com",)) as server:
        url = f"https://www.tiktok.com:{server.port}/"
        ca_file = CaFile(server.ca_path)
        for transport in (
            curl_transport(ca_file, rebound),
            PooledTransport(proxy=None, ca_bundle=server.ca_path, resolve=rebound),
        ):
            async with transport:
                with pytest.raises(httpx.ConnectError, match="no public address"):
                    await transport.handle_async_request(asking(url))
        assert asked == ["www.tiktok.com"] * 2
        assert server.asked == []
        ca_file.close()


async def test_the_connection_goes_to_the_address_that_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name exists nowhere and each resolver answers once: only a pinned address can work.
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "no such file"))
    monkeypatch.setattr(resolver, "is_public", lambda address: address == "127.0.0.1")

    def once() -> resolver.Resolve:
        answers = [("10.0.0.1", "127.0.0.1")]

        async def resolve(host: str, port: int) -> Sequence[str]:
            return answers.pop()

        return resolve

    async with loopback(tmp_path, say_ok, direct=True, names=("nowhere.invalid",)) as server:
        url = f"https://nowhere.invalid:{server.port}/"
        ca_file = CaFile(server.ca_path)
        for transport in (
            curl_transport(ca_file, once()),
            PooledTransport(proxy=None, ca_bundle=server.ca_path, resolve=once()),
        ):
            async with transport:
                response = await transport.handle_async_request(asking(url))
                assert await response.aread() == b"ok"
                await response.aclose()
        ca_file.close()


async def test_curl_follows_a_name_that_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "is_public", lambda _: True)
    current = ["127.0.0.1"]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return (current[0],)

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"ok", "200 OK", "Connection: close"))
        writer.close()

    async with loopback(tmp_path, answer, direct=True, names=("nowhere.invalid",)) as server:
        url = f"https://nowhere.invalid:{server.port}/"
        ca_file = CaFile(server.ca_path)
        async with curl_transport(ca_file, resolve) as transport:
            assert (await transport.handle_async_request(asking(url))).status_code == 200
            current[0] = "127.0.0.2"  # nobody listens there
            with pytest.raises(httpx.TransportError):
                await transport.handle_async_request(asking(url))
            current[0] = "127.0.0.1"
            assert (await transport.handle_async_request(asking(url))).status_code == 200
        ca_file.close()


def asking(url: str) -> httpx.Request:
    return httpx.Request("GET", url, extensions={"timeout": httpx.Timeout(2, connect=1).as_dict()})


# --- what curl sends --------------------------------------------------------------------------


PINNED = {identity.tls_target: identity for identity in identity_ladder("curl")}
PINNED.pop(None)


@pytest.mark.parametrize("identity", PINNED.values(), ids=lambda identity: identity.tls_target)
async def test_an_identitys_headers_are_those_of_the_browser_it_copies(
    tmp_path: Path, identity: Identity
) -> None:
    async with loopback(tmp_path, say_ok) as server:
        ca_file = CaFile(server.ca_path)
        itself = AsyncCurlTransport(
            impersonate=identity.tls_target,
            default_headers=True,
            proxy=server.proxy,
            curl_options={CurlOpt.CAINFO: ca_file.path},
        )
        async with itself:
            await itself.handle_async_request(asking(PAGE))
        async with session_through(server, name=identity.name) as session:
            await session.get_page(PAGE)
            await session.get_page(PAGE, Purpose.LIST, referer=PAGE)
        own, ours, listing = (dict(asked.headers) for asked in server.asked)
        if identity.always_referer:
            assert ours.pop("referer") == "https://www.tiktok.com/"
            assert ours.pop("sec-fetch-site") == "same-origin"
            del own["sec-fetch-site"]
        assert ours == own
        for name in ("user-agent", "sec-ch-ua", "sec-ch-ua-platform", "accept-encoding"):
            assert listing[name] == own[name]
        assert listing["sec-fetch-mode"] == "cors"
        assert "sec-fetch-user" not in listing
        ca_file.close()


async def test_cookies_travel_from_page_to_page_and_to_media(tmp_path: Path, curl: bool) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(
            reply(b"ok", "200 OK", "Set-Cookie: ttwid=1; Domain=.tiktok.com; Path=/; Secure")
        )

    async with loopback(tmp_path, answer) as server, session_through(server, curl=curl) as session:
        await session.get_page(PAGE)
        await session.get_page(PAGE)
        await read(session, FILE)
        assert [asked.headers.get("cookie") for asked in server.asked] == [
            None,
            "ttwid=1",
            "ttwid=1",
        ]


async def test_connections_are_used_again(tmp_path: Path, curl: bool) -> None:
    async with loopback(tmp_path, say_ok) as server, session_through(server, curl=curl) as session:
        for _ in range(3):
            await session.get_page(PAGE)
        assert len({asked.connection for asked in server.asked}) == 1


async def test_between_requests_for_pages_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(curl_loop, "SAFEGUARD_S", 0.001)
    async with loopback(tmp_path, say_ok) as server, session_through(server) as session:
        await session.get_page(PAGE)
        await asyncio.sleep(0.01)  # the last look
        with monkeypatch.context() as patch:
            patch.setattr(AsyncCurl, "socket_action", lambda *_: looks.append(1))
            await asyncio.sleep(0.3)
    assert looks == []


# --- faults on the way ------------------------------------------------------------------------


async def faulty(kind: str, asked: Asked, writer: asyncio.StreamWriter) -> None:
    match kind:
        case "no answer":
            writer.close()
        case "garbage":
            writer.write(b"not http at all\r\n\r\n")
            writer.close()
        case "short":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            await writer.drain()
            writer.close()
        case "short chunked":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort")
            await writer.drain()
            writer.close()
        case "reset":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            await writer.drain()
            writer.transport.abort()
        case "silence":
            await asyncio.sleep(30)
        case "stall":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            await writer.drain()
            await asyncio.sleep(30)
        case "slow loris":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        case "bad gzip":
            writer.write(reply(b"not gzip", "200 OK", "Content-Encoding: gzip"))


@pytest.mark.parametrize(
    "kind",
    [
        "no answer",
        "garbage",
        "short",
        "short chunked",
        "reset",
        "silence",
        "stall",
        "slow loris",
        "bad gzip",
    ],
)
async def test_faults_become_ours(tmp_path: Path, curl: bool, kind: str) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await faulty(kind, asked, writer)

    async with loopback(tmp_path, answer) as server, session_through(server, curl=curl) as session:
        with pytest.raises(StoriesError) as caught:
            await session.get_page(PAGE)
        assert type(caught.value) is UpstreamDown


@pytest.mark.parametrize("how", ["announced", "unannounced", "compressed"])
async def test_oversized_pages(tmp_path: Path, curl: bool, how: str) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if how == "compressed":
            writer.write(reply(bomb, "200 OK", "Content-Encoding: gzip"))
        elif how == "announced":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 2_000_000)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"x" * 100_000)
                await writer.drain()

    async with loopback(tmp_path, answer) as server, session_through(server, curl=curl) as session:
        with pytest.raises(UpstreamChanged, match="larger"):
            await session.get_page(PAGE)


async def test_cancelling_ends_the_request(tmp_path: Path, curl: bool) -> None:
    gone = asyncio.Event()
    there = asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        there.set()
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        except (OSError, ConnectionError):
            gone.set()
            raise

    patient = ClientConfig(connect_timeout_s=30, read_timeout_s=30)
    async with (
        loopback(tmp_path, answer) as server,
        session_through(server, curl=curl, config=patient) as session,
    ):
        task = asyncio.create_task(session.get_page(PAGE))
        await there.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await gone.wait()


# --- what curl's errors mean -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (6, "Could not resolve", httpx.ConnectError),
        (7, "", httpx.ConnectError),
        (28, "Connection timed out after 10 ms", httpx.ConnectTimeout),
        (28, "Operation timed out", httpx.ReadTimeout),
        (35, "", httpx.ConnectError),
        (52, "", httpx.RemoteProtocolError),
        (56, "Recv failure", httpx.ReadError),
        (56, "CONNECT tunnel failed, response 403", httpx.ProxyError),
        (60, "", httpx.ConnectError),
        (61, "", httpx.DecodingError),
        (63, "", BodyTooLarge),
        (92, "", httpx.RemoteProtocolError),
        (97, "", httpx.ProxyError),
        (0, "", httpx.TransportError),
        (9999, "", httpx.TransportError),
    ],
)
def test_curl_codes(code: int, text: str, expected: type[Exception]) -> None:
    error = CurlError(text, code)
    found = to_httpx_error(error, httpx.Request("GET", FILE))
    assert type(found) is expected
    assert "expire" not in str(found), "no signed address in an error"

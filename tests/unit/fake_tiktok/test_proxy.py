"""The fake behind a proxy: TLS and faults on the wire, steering, and a process of its own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.fake_tiktok import Account, FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy, running_proxy
from tests.unit.fake_tiktok.browsing import REFERER, UA, play_addr

ROOT = Path(__file__).parents[3]


@pytest.fixture
def proxy(tiktok: FakeTikTok, tmp_path: Path) -> Iterator[FakeProxy]:
    with running_proxy(tiktok, tmp_path) as running:
        yield running


@pytest.fixture
def tunnel(proxy: FakeProxy) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=proxy.ca_path)
    headers = {"User-Agent": UA, "Referer": REFERER}
    with httpx.Client(
        proxy=proxy.url, verify=context, trust_env=False, headers=headers, timeout=20
    ) as client:
        yield client


def test_the_proxy_serves_the_same_site(
    tiktok: FakeTikTok, alice: Account, tunnel: httpx.Client, proxy: FakeProxy
) -> None:
    story = alice.video()
    for _ in range(3):
        assert tunnel.get(alice.url).status_code == 200
    url = play_addr(tunnel, alice)
    assert tunnel.get(url).content == story.files[0].body
    assert tunnel.head(url).headers["content-length"] == str(story.files[0].size)
    assert tunnel.get(url, headers={"Range": "bytes=3-8"}).content == story.files[0].body[3:9]
    assert tiktok.count("profile") == 3
    assert proxy.peak_connections == 2  # kept alive: one for the pages, one for the CDN


def test_proxy_faults_reach_the_wire(
    tiktok: FakeTikTok, alice: Account, tunnel: httpx.Client
) -> None:
    clip = alice.video()
    url = play_addr(tunnel, alice)
    for kind, options in (("drop", {"after": 900}), ("drop", {"after": 0}), ("silent", {})):
        tiktok.fault(clip, kind, times=1, **options)
        with pytest.raises(httpx.RemoteProtocolError):
            tunnel.get(url)
    tiktok.fault(clip, "stall", times=1, after=900)
    with pytest.raises(httpx.ReadTimeout):
        tunnel.get(url, timeout=httpx.Timeout(20, read=0.2))
    assert tunnel.get(url).content == clip.files[0].body


def test_the_proxy_reaches_nobody_else(proxy: FakeProxy, tunnel: httpx.Client) -> None:
    for url in ("https://example.com/", "http://example.com/", "https://www.tiktok.com:8443/"):
        try:
            status = tunnel.get(url).status_code
        except httpx.ProxyError:
            status = 403
        assert status == 403
    assert proxy.strays == ["example.com", "example.com", "www.tiktok.com:8443"]


def test_the_curl_transport_gets_through(alice: Account, proxy: FakeProxy) -> None:
    from curl_cffi import CurlOpt
    from httpx_curl_cffi import AsyncCurlTransport

    async def ask() -> httpx.Response:
        options = {CurlOpt.CAINFO: proxy.ca_path, CurlOpt.PROXY_CAINFO: proxy.ca_path}
        transport = AsyncCurlTransport(
            impersonate="chrome",
            proxy=proxy.url,
            curl_options={**options, CurlOpt.NOPROXY: ""},
        )
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.get(alice.url)

    assert "webapp.user-detail" in asyncio.run(ask()).text


def test_it_is_steered_over_plain_http(tiktok: FakeTikTok, proxy: FakeProxy) -> None:
    with httpx.Client(base_url=proxy.url, trust_env=False) as control:
        assert control.get("/health").json() == {"ok": True}
        control.post("/account", json={"name": "far.away"})
        photo = control.post("/photo", json={"account": "far.away", "caption": "hi"}).json()
        link = control.post("/short_link", json={"code": "ZM9", "to": photo["id"]}).json()
        assert link == {"url": "https://vm.tiktok.com/ZM9/"}
        control.post("/fault", json={"match": "list", "kind": "429", "retry_after": 5})
        assert control.get("/faults").json()[0]["options"] == {"status": 429, "retry_after": 5}
        assert control.post("/fault", json={"match": "list", "kind": "sulk"}).status_code == 400
        assert [file["item"] for file in control.get("/media").json()["files"]] == [photo["id"]]
        control.post("/reset", json={})
        assert control.get("/faults").json() == []
    assert tiktok.strays == []


def test_as_a_process_it_says_when_it_listens_and_stops_with_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fake_tiktok", "--dir", str(tmp_path), "--with-parent"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        listing = httpx.get(f"{ready['control']}/media", trust_env=False).json()
        headers = listing["headers"]
        context = ssl.create_default_context(cafile=ready["ca"])
        with httpx.Client(
            proxy=ready["proxy"], verify=context, trust_env=False, headers=headers
        ) as client:
            for file in listing["files"]:
                body = client.get(file["url"]).content
                assert hashlib.sha256(body).hexdigest() == file["sha256"]
        process.stdin.close()
        assert process.wait(timeout=20) == 0

"""A trial of gallery-dl on this machine, against a TikTok of three accounts that is built in.

Run once when it is installed, shut in as it will be later: a version that asks otherwise, prints
otherwise or cannot work shut in is found out before anybody is looked up by it. Nothing leaves this
machine: the proxy it is given answers by itself, with a certificate made for the occasion.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stories import wire
from stories.errors import StoriesError
from stories.helper.endings import Ending
from stories.helper.gallery_dl import Command, GalleryDl, HelperRun
from stories.hosts import SITE
from stories.structures import Author
from stories.ways import WayFailed

HOST: Final = "www.tiktok.com"
_LIVES: Final = timedelta(days=1)
_MAX_HEAD: Final = 64 * 1024
_COOKIE: Final = "tt_chain_token=smoke; Domain=tiktok.com; Path=/; Secure"

_ACCOUNTS: Final = {
    "sample.open": "6800000000000000001",
    "sample.quiet": "6800000000000000002",
    "sample.kept": "6800000000000000003",
}
_PRIVATE: Final = "sample.locked"


class SmokeFailed(Exception):
    """The program did not do what is needed of it. str(): what, in a few words."""


async def try_out(command: Command, folder: Path) -> None:
    """Run each kind of look-up once, in folders below `folder`. Raises SmokeFailed."""
    async with fake_site() as site:
        helper = GalleryDl(
            command,
            guard=site,
            user_agent="Mozilla/5.0 (trial)",
            ca_file=site.ca_file,
            folder=folder,
        )
        try:
            await _check(helper, site)
        except (StoriesError, WayFailed) as error:
            raise SmokeFailed(str(error) or type(error).__name__) from error


async def _check(helper: GalleryDl, site: _Site) -> None:
    author = Author(id=_ACCOUNTS["sample.open"], name="sample.open")
    now = datetime.now(UTC)
    run = await helper.run(f"{SITE}@sample.open/stories")
    shown = [
        story.id
        for answer in run.answers
        if answer.is_list
        for story in wire.story_page(answer.body, author, now=now).stories
    ]
    printed = wire.printed_items(run.lines, author, now=now).listed_ids
    _expect(set(site.item_ids) == {*shown, *printed}, "a list's items do not come through", run)
    _expect(any(c.name == "tt_chain_token" for c in run.cookies), "no cookies come through", run)
    run = await helper.run(f"{SITE}@sample.open/video/{site.item_ids[0]}")
    _expect(len(run.lines) == 1, "an item is not printed once", run)
    wire.printed_item(run.lines[0], site.item_ids[0], now=now)
    for account, url, expected in (
        ("an empty list", f"{SITE}@sample.quiet/stories", Ending.EMPTY),
        ("a list kept back", f"{SITE}@sample.kept/stories", Ending.KEPT),
        ("a private account", f"{SITE}@{_PRIVATE}/stories", Ending.PRIVATE),
        ("no such account", f"{SITE}@sample.nobody/stories", Ending.UNKNOWN),
    ):
        run = await helper.run(url)
        _expect(run.reading.ending is expected, f"{account} ends as {run.reading.ending}", run)
        _expect(bool(run.answers), "the answers it got are not shown", run)
    _expect(not site.strays, "it asks others, too", run)


def _expect(holds: bool, words: str, run: HelperRun) -> None:
    if not holds:
        detail = run.reading.detail
        raise SmokeFailed(f"{words} ({detail})" if detail else words)


# --- the site -------------------------------------------------------------------------------------


class _Site:
    """A CONNECT proxy that answers as TikTok does. strays: hosts that were asked for in vain."""

    def __init__(self, context: ssl.SSLContext, ca_file: str) -> None:
        self.ca_file = ca_file
        self.strays: list[str] = []
        self._context = context
        self._server: asyncio.Server | None = None
        posted = int(time.time()) - 3600
        self.item_ids = [str((posted + n) << 32 | 7) for n in range(2)]

    @property
    def url(self) -> str:
        """Its address, once started."""
        if self._server is None:
            raise RuntimeError("the trial's site is not started")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        """Listen, if it does not yet."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_MAX_HEAD)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            async with asyncio.timeout(30):
                await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = (await _head(reader)).split(" ", 2)
        if (method, target) != ("CONNECT", f"{HOST}:443"):
            self.strays.append(target[:100])
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await writer.start_tls(self._context)
        while True:
            _, path, _ = (await _head(reader)).split(" ", 2)
            kind, body = self._answer(path)
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                f"Set-Cookie: {_COOKIE}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()

    def _answer(self, path: str) -> tuple[str, bytes]:
        bare = path.partition("?")[0].rstrip("/")
        if bare == "/api/story/item_list":
            return "application/json", self._list(path)
        name, _, rest = bare.removeprefix("/@").partition("/")
        if rest:
            item = self._item(rest.rpartition("/")[2])
            detail: dict[str, Any] = {"statusCode": 0, "itemInfo": {"itemStruct": item}}
            return "text/html", _page({"webapp.video-detail": detail})
        return "text/html", _page({"webapp.user-detail": _profile(name), "webapp.app-context": {}})

    def _list(self, path: str) -> bytes:
        now_ms = int(time.time() * 1000)
        answer: dict[str, Any] = {
            "statusCode": 0,
            "HasMoreAfter": False,
            "MaxCursor": str(now_ms),
            "TotalCount": "0",
            "extra": {"now": now_ms},
        }
        if f"authorId={_ACCOUNTS['sample.open']}" in path:
            answer |= {
                "itemList": [self._item(item_id) for item_id in self.item_ids],
                "TotalCount": str(len(self.item_ids)),
            }
        elif f"authorId={_ACCOUNTS['sample.kept']}" in path:
            return b""
        return json.dumps(answer).encode()

    def _item(self, item_id: str) -> dict[str, Any]:
        address = f"https://v16-webapp-prime.tiktok.com/video/tos/{item_id}/?mime_type=video_mp4"
        posted = int(item_id) >> 32
        return {
            "id": item_id,
            "desc": "",
            "createTime": str(posted),
            "author": {
                "id": _ACCOUNTS["sample.open"],
                "uniqueId": "sample.open",
                "nickname": "",
                "privateAccount": False,
            },
            "story": {"ExpiredAt": str((posted + 86_400) * 1000)},
            "video": {
                "width": 576,
                "height": 1024,
                "duration": 3,
                "format": "mp4",
                "codecType": "h264",
                "playAddr": address,
            },
            "stats": {},
        }


def _profile(name: str) -> dict[str, Any]:
    if name not in _ACCOUNTS and name != _PRIVATE:
        return {"statusCode": 10221, "statusMsg": "user banned"}
    user = {"id": _ACCOUNTS.get(name, "6800000000000000009"), "uniqueId": name}
    private = name == _PRIVATE
    return {
        "statusCode": 10222 if private else 0,
        "statusMsg": "",
        "userInfo": {
            "user": {**user, "privateAccount": private},
            "stats": {"videoCount": 0},
        },
    }


def _page(scope: dict[str, Any]) -> bytes:
    data = json.dumps({"__DEFAULT_SCOPE__": scope})
    script = '<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__" type="application/json">'
    return f"<!DOCTYPE html><html><body>{script}{data}</script></body></html>".encode()


async def _head(reader: asyncio.StreamReader) -> str:
    """The first line of a request, whose headers are read as well."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head.decode("latin-1").partition("\r\n")[0]


# --- its certificate ------------------------------------------------------------------------------


@asynccontextmanager
async def fake_site() -> AsyncIterator[_Site]:
    """The site, its proxy not listening yet; it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="storykeep-trial-") as folder:
        context, ca_file = await asyncio.to_thread(_certify, Path(folder))
        site = _Site(context, ca_file)
        try:
            yield site
        finally:
            await site.stop()


def _certify(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A context for HOST, and the file of the authority that vouches for it."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Storykeep trial")])
    authority = (
        _certificate(issuer, issuer, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    names = [x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        _certificate(subject, issuer, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    ca_file, chain = folder / "authority.pem", folder / "chain.pem"
    ca_file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    chain.touch(mode=0o600)
    chain.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, str(ca_file)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LIVES)
        .not_valid_after(now + _LIVES)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )

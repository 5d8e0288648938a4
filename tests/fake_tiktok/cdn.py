"""The media hosts: signed addresses that run out, and files served in ranges."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from tests.fake_tiktok.exchange import Request, Response, Where, sliced

SECRET = b"only the fake knows"
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)

# Of no meaning, shaped as recorded.
_RC = (
    "DDx8JIBlSPsrZacrPOB9NVFfbwL5VE88wricGpLoFFpzGFWaDzVvB9EoYoOlWP63UdGjTWYqCqGvCjI3DfSoRD7wJXVxgu"
)

VIDEO_HOSTS = ("v16-webapp-prime.tiktok.com", "v19-webapp-prime.tiktok.com")
SUFFIXES = (".tiktokcdn.com", ".tiktokcdn-us.com", ".tiktokcdn-eu.com", ".tiktokcdn-in.com")
PICTURE_HOSTS = ("p16-common-sign.tiktokcdn.com", "p19-common-sign.tiktokcdn.com")
SONG_HOST = "v16m.tiktokcdn.com"
EMBED_HOST = "v45.tiktokcdn-eu.com"


@dataclass(frozen=True, eq=False)
class MediaObject:
    """One file on the CDN. key: its name in every address.

    kind: video, picture, song, cover, avatar.
    """

    key: str
    kind: str
    parts: tuple[bytes, ...]
    content_type: str
    account: str
    item: str
    position: int
    gear: str
    suffix: str = ""

    @property
    def size(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def etag(self) -> str:
        return f'"{self.key[:24]}"'

    @property
    def where(self) -> Where:
        return Where(self.kind, self.account, self.item, self.position, self.gear)

    @property
    def fault_match(self) -> dict[str, Any]:
        return {
            "endpoint": self.kind,
            "item": self.item,
            "position": self.position,
            "gear": self.gear,
        }


def _mac(*parts: str) -> bytes:
    return hmac.new(SECRET, "\n".join(parts).encode(), hashlib.sha256).digest()


def _logid(now: float, token: str) -> str:
    tail = hashlib.sha256(token.encode()).hexdigest()[:18].upper()
    return f"20261120{int(now) % 1_000_000:06d}{tail}"


def video_urls(file: MediaObject, now: float, life_s: float, token: str, item: str) -> list[str]:
    """The two mirrors, tied to the session's token, and the play address that leads to one."""
    path = f"/video/tos/alisg/tos-alisg-pve-0037c001/{file.key}/"
    rate = file.size // 1024
    query = (
        "a=1988&bti=VXeuJNHtCNG3&ch=0&cr=3&dr=0&lr=all&cd=0%7C0%7C0%7C&cv=1"
        f"&br={rate * 2}&bt={rate}&cs=0&ds=6&ft=6OSJtEEl9Loc3.A9QR0pZsBaCcGrFlc."
        f"&mime_type=video_mp4&qs=0&rc={_RC}%3D%3D&btag=e00088000"
        f"&expire={int(now + life_s)}&l={_logid(now, token)}&ply_type=2&policy=2"
    )
    signature = _mac("web", path, f"{query}&tk=tt_chain_token", token).hex()[:32]
    tail = f"{path}?{query}&signature={signature}&tk=tt_chain_token"
    play = f"faid=1988&file_id={file.key[:32]}&is_play_url=1&item_id={item}&line=0&ply_type=2"
    signature_v3 = base64.b64encode(_mac("play", play, token))[:43].decode().replace("+", "A")
    third = (
        f"https://www.tiktok.com/aweme/v1/play/?{play}&signaturev3={signature_v3.replace('/', 'B')}"
        f"&tk=tt_chain_token&video_id=v14044g50000{file.key[:20]}"
    )
    return [*(f"https://{host}{tail}" for host in VIDEO_HOSTS), third]


def app_url(file: MediaObject, now: float, life_s: float, host: str) -> str:
    """Embeds and songs: the signature and the hexadecimal expiry stand in the path."""
    mime = {"audio/mpeg": "audio_mpeg", "audio/mp4": "audio_mp4"}.get(
        file.content_type, "video_mp4"
    )
    path = f"/{int(now + life_s):08x}/video/tos/useast5/tos-useast5-v-2774/{file.key}/"
    query = (
        f"a=1233&bti=VXeuJNHtCNG3&ch=0&cr=0&dr=0&lr=default&mime_type={mime}&l={_logid(now, '')}"
    )
    return f"https://{host}/{_mac('app', path, query).hex()[:32]}{path}?{query}"


def avatar_url(key: str, side: int, now: float, life_s: float) -> str:
    """The address of an account's picture; there is one mirror, and no cookie it is tied to."""
    path = f"/tos-maliva-avt-0068/{key}~tplv-tiktokx-cropcenter:{side}:{side}.jpeg"
    return f"https://{PICTURE_HOSTS[0]}{_signed(path, now, life_s)}"


def picture_urls(file: MediaObject, now: float, life_s: float) -> list[str]:
    """Two mirrors; the expiry is rounded to the hour."""
    shape = "photomode-image" if file.kind == "picture" else "tiktokx-origin"
    path = f"/tos-maliva-i-photomode-us/{file.key}~tplv-{shape}{file.suffix}"
    tail = _signed(path, now, life_s)
    return [f"https://{host}{tail}" for host in PICTURE_HOSTS]


def _signed(path: str, now: float, life_s: float) -> str:
    expires = (int(now + life_s) // 3600) * 3600
    query = f"dr=10375&x-expires={expires}"
    rest = "&t=4d5b0474&ps=13740610&shp=81f88b70&shcp=9b759fb9&idc=no1a&ftpl=1"
    signature = base64.b64encode(_mac("picture", path, query + rest)[:20]).decode()
    return f"{path}?{query}&x-signature={quote(signature, safe='')}{rest}"


def key_in(path: str) -> str:
    """The object's key in a CDN path, however it is signed."""
    last = path.rstrip("/").rpartition("/")[2]
    return last.partition("~")[0]


def why_refused(request: Request, now: float, token: str | None) -> str | None:
    """Why the signature does not hold, None when it does. token: the session's tt_chain_token."""
    path, query = request.bare_path, request.query
    fields = dict(parse_qsl(query, keep_blank_values=True))
    if "signature" in fields:
        bare = query.replace(f"&signature={fields['signature']}", "", 1)
        if _mac("web", path, bare, token or "").hex()[:32] != fields["signature"]:
            return "signature"
        return "expired" if int(fields["expire"]) <= now else None
    if "x-signature" in fields:
        signed = f"&x-signature={quote(fields['x-signature'], safe='')}"
        bare = query.replace(signed, "", 1)
        signature = base64.b64encode(_mac("picture", path, bare)[:20]).decode()
        if signature != fields["x-signature"]:
            return "signature"
        return "expired" if int(fields["x-expires"]) <= now else None
    matched = re.fullmatch(r"/([0-9a-f]{32})(/([0-9a-f]{8})/.*)", path)
    if matched is None or _mac("app", matched[2], query).hex()[:32] != matched[1]:
        return "signature"
    return "expired" if int(matched[3], 16) <= now else None


def play_target(request: Request, token: str | None) -> str | None:
    """The key a play address leads to, None when its signature does not hold."""
    bare, _, rest = request.query.partition("&signaturev3=")
    signature = base64.b64encode(_mac("play", bare, token or ""))[:43].decode()
    if rest.partition("&")[0] != signature.replace("+", "A").replace("/", "B"):
        return None
    return request.parameters["file_id"]


def serve(file: MediaObject, request: Request) -> Response:
    """The file, or the range of it that was asked for."""
    size, etag = file.size, file.etag
    headers = [
        ("Content-Type", file.content_type),
        ("Accept-Ranges", "bytes"),
        ("ETag", etag),
        ("Last-Modified", "Fri, 20 Nov 2026 08:00:00 GMT"),
        ("Cache-Control", "max-age=31536000"),
        ("Server", "nginx"),
    ]
    asked_range = RANGE.fullmatch(request.headers.get("range", "").strip())
    same = request.headers.get("if-range", etag) in {etag, "Fri, 20 Nov 2026 08:00:00 GMT"}
    if asked_range and any(asked_range.groups()) and same:
        first, last = asked_range.groups()
        start = int(first) if first else max(size - int(last), 0)
        end = min(int(last) + 1, size) if first and last else size
        if start >= size or (first and last and int(last) < int(first)):
            return Response(416, [("Content-Range", f"bytes */{size}"), *headers])
        headers.append(("Content-Range", f"bytes {start}-{end - 1}/{size}"))
        return Response(206, headers, sliced(file.parts, start, end))
    return Response(200, headers, sliced(file.parts, 0, size))


def is_media_host(host: str) -> bool:
    """Whether a host serves files rather than pages."""
    name = urlsplit(f"https://{host}").hostname or ""
    return name.endswith(SUFFIXES) or (
        name.endswith(".tiktok.com") and re.match(r"v\d+[a-z]*-", name) is not None
    )

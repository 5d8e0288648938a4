"""The pages around the data: rehydration page, embed page, challenge page, and what else answers.

Shapes follow the recorded samples; where none was recorded (a story list, `/embed/v2/`), they are
constructed from the field names that clients read.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.fake_tiktok.exchange import Request, Response


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _script_safe(value: object) -> str:
    # The site escapes the slash, so that no caption can end the script element.
    return _compact(value).replace("<", "\\u003C").replace(">", "\\u003E").replace("/", "\\u002F")


@lru_cache(maxsize=4)
def _filler(size: int) -> str:
    """Scripts and styles as on a real page, which is some 400 KB and says "captcha" 25 times."""
    rng = random.Random(size)
    words = ["function", "webpackChunk", "tiktok", "secsdk", "return", "void 0", "mssdk", "props"]
    lines, length = [], 0
    while length < size:
        line = ";".join(f"{rng.choice(words)}_{rng.getrandbits(40):x}" for _ in range(24))
        lines.append(f'<script nonce="{rng.getrandbits(64):x}">/* {line} */</script>')
        length += len(lines[-1]) + 1
    for number in range(25):
        lines[number * len(lines) // 25] += "<!-- captcha -->"
    return "\n".join(lines)


def html(request: Request, text: str, status: int = 200, *headers: tuple[str, str]) -> Response:
    return _answer(request, text.encode(), "text/html; charset=utf-8", status, headers)


def json_answer(request: Request, value: object, *headers: tuple[str, str]) -> Response:
    kind = "application/json; charset=utf-8"
    return _answer(request, _compact(value).encode(), kind, 200, headers)


def _answer(
    request: Request, body: bytes, kind: str, status: int, more: tuple[tuple[str, str], ...]
) -> Response:
    headers = [("Content-Type", kind), ("Server", "nginx"), ("X-TT-LogId", "20261120080000AAAA")]
    headers += more
    if "gzip" in request.headers.get("accept-encoding", "") and len(body) > 1000:
        body = gzip.compress(body, 1)
        headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
    return Response(status, headers, [memoryview(body)])


def redirect(to: str, *headers: tuple[str, str], status: int = 302) -> Response:
    return Response(status, [("Location", to), ("Server", "nginx"), *headers])


def rehydration(
    request: Request,
    scope: Mapping[str, Any],
    title: str,
    filler: int,
    *headers: tuple[str, str],
    scripts: Iterable[str] = (),
) -> Response:
    """A page of the web app with its data in `__UNIVERSAL_DATA_FOR_REHYDRATION__`.

    scripts: sources that a browser runs.
    """
    run = "".join(f"<script>{source}</script>" for source in scripts)
    data = {
        "__DEFAULT_SCOPE__": {
            "webapp.app-context": {
                "language": "en",
                "region": "DE",
                "appId": 1988,
                "csrfToken": "AAAA",
                "user": None,
            },
            "webapp.biz-context": {"os": "linux", "isMobile": False},
            "seo.abtest": {"canonical": f"https://www.tiktok.com{request.bare_path}"},
            **scope,
        }
    }
    text = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<title>{title} | TikTok</title></head><body><div id="app"></div>'
        '<script id="api-domains" type="application/json">{"rootApi":"t.tiktok.com"}</script>'
        '<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__" type="application/json">'
        f"{_script_safe(data)}</script>{run}\n{_filler(filler)}</body></html>"
    )
    return html(request, text, 200, *headers)


def without_data(request: Request, filler: int, *headers: tuple[str, str]) -> Response:
    """A page of the normal kind without rehydration data: a soft refusal, or a changed site."""
    text = (
        '<!DOCTYPE html><html lang="en"><head><title>TikTok - Make Your Day</title></head><body>'
        '<script id="tiktok-environment" type="application/json">{"env":"prod"}</script>'
        f"<script>window.mssdk=1</script>{_filler(filler)}</body></html>"
    )
    return html(request, text, 200, *headers)


def frontity(request: Request, route: str, entry: Mapping[str, Any], filler: int) -> Response:
    """An embed page; its state is kept under the route."""
    state = {"source": {"data": {route: entry}}}
    text = (
        '<!DOCTYPE html><html lang="en"><head><title>TikTok embed</title></head><body>'
        '<script id="__FRONTITY_CONNECT_STATE__" type="application/json">'
        f"{_script_safe(state)}</script>{_filler(filler)}</body></html>"
    )
    return html(request, text)


def plain_page(request: Request, title: str, status: int = 200) -> Response:
    return html(
        request,
        f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>",
        status,
    )


# --- the challenge ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Puzzle:
    """One issued challenge. raw: its JSON as sent; answer: None when it has none."""

    raw: str
    answer: int | None
    second: str

    def page(self) -> str:
        packed = base64.b64encode(self.raw.encode()).decode().rstrip("=")
        slardar = '{"slardarClient":"SlardarWAF","bid":"slardar_us_waf","pid":"js-44"}'
        source = (
            "https://sf16-website-login.neutral.ttwstatic.com/obj/tiktok_web_login_static"
            "/obj/waf-aiso/dd9808.js"
        )
        return (
            '<!DOCTYPE html><html><head><meta charset="utf-8"><title></title>'
            f'<script id="slardar-config" type="application/json">{slardar}</script>'
            f'<script src="{source}"></script></head><body>Please wait...'
            f'<p id="cs" class="{packed}"></p><p id="wci" class="_wafchallengeid"></p>'
            f'<p id="rci" class="waforiginalreid"></p><p id="rs" class="{self.second}"></p>'
            "</body></html>"
        )

    def accepts(self, cookies: Mapping[str, str]) -> bool:
        """Strict: the same JSON in the same order plus "d", padded base64, the second cookie."""
        if self.answer is None:
            return False
        proof = base64.b64encode(str(self.answer).encode()).decode()
        expected = base64.b64encode(f'{self.raw[:-1]},"d":"{proof}"}}'.encode()).decode()
        if cookies.get("_wafchallengeid") != expected:
            return False
        return not self.second or cookies.get("waforiginalreid") == self.second


def puzzle(rng: random.Random, now: float, reach: int, second: str, solvable: bool) -> Puzzle:
    prefix = rng.randbytes(24)
    answer: int | None = rng.randint(0, reach)
    digest = hashlib.sha256(prefix + str(answer).encode()).digest()
    if not solvable:
        answer, digest = None, rng.randbytes(32)
    raw = _compact(
        {
            "v": {
                "a": base64.b64encode(prefix).decode(),
                "b": int(now),
                "c": base64.b64encode(digest).decode(),
            },
            "s": base64.b64encode(rng.randbytes(32)).decode(),
        }
    )
    return Puzzle(raw, answer, second)


# --- what is too much -----------------------------------------------------------------------------


def huge(request: Request, size: int) -> Response:
    """Far more than a page may be; a few kilobytes on the wire for a client that takes gzip."""
    if "gzip" not in request.headers.get("accept-encoding", ""):
        chunk = memoryview(b" " * 65536)
        parts = [chunk] * (size // 65536) + [chunk[: size % 65536]]
        return Response(200, [("Content-Type", "text/html; charset=utf-8")], parts)
    packed = _bomb(size)
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Encoding", "gzip")]
    return Response(200, headers, [memoryview(packed)])


@lru_cache(maxsize=2)
def _bomb(size: int) -> bytes:
    return gzip.compress(b"<!DOCTYPE html>" + b" " * size, 9)


def deep(request: Request, depth: int) -> Response:
    text = '{"statusCode":0,"itemList":' + "[" * depth + "]" * depth + "}"
    if request.bare_path.startswith("/api/"):
        headers = [("Content-Type", "application/json; charset=utf-8")]
        return Response(200, headers, [memoryview(text.encode())])
    return html(
        request,
        '<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__" type="application/json">'
        f'{{"__DEFAULT_SCOPE__":{text}}}</script>',
    )

"""One request, its response, and the faults that can be put between the two."""

from __future__ import annotations

import dataclasses
import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

_BROWSER = re.compile(r"Mozilla/5\.0 \(.*\).*\b(?:HeadlessChrome|Chrome|Firefox|Safari|Edg)/")


@dataclass(frozen=True)
class Request:
    """What a client asked. path: with the query, exactly as sent. headers: names in lower case."""

    method: str
    host: str
    path: str
    headers: Mapping[str, str]

    @property
    def bare_path(self) -> str:
        return self.path.partition("?")[0]

    @property
    def query(self) -> str:
        return self.path.partition("?")[2]

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def url(self) -> str:
        return f"https://{self.host}{self.path}"

    @property
    def user_agent(self) -> str:
        return self.headers.get("user-agent", "")

    @property
    def is_browser(self) -> bool:
        """Whether it says that it is a browser that people use."""
        return _BROWSER.match(self.user_agent) is not None

    @property
    def is_headless(self) -> bool:
        """Whether it gives itself away as a browser that nobody looks at: it says so, or it calls
        itself Chrome without the hints that every Chrome sends."""
        hints = self.headers.get("sec-ch-ua", "")
        return "Headless" in self.user_agent + hints or ("Chrome/" in self.user_agent and not hints)

    @property
    def cookies(self) -> dict[str, str]:
        """Cookies as sent; values are taken raw, as a base64 answer may hold `=`."""
        cookies = {}
        for pair in self.headers.get("cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name:
                cookies[name] = value
        return cookies


@dataclass
class Response:
    """An answer. parts: the body, in pieces that are never copied.

    cut_after: close the connection after so many body bytes. hang_after: send no more after so
    many, and keep the connection open. bytes_per_s: never faster than this. silent: close without
    a word. chunked: the length is not announced.
    """

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    parts: list[memoryview] = field(default_factory=list)
    cut_after: int | None = None
    hang_after: int | None = None
    bytes_per_s: float | None = None
    silent: bool = False
    chunked: bool = False

    @property
    def length(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def json(self) -> Any:
        return json.loads(self.body)


def sliced(parts: Iterable[bytes | memoryview], start: int, end: int) -> list[memoryview]:
    """Bytes [start, end) of a body in parts, without copying."""
    slices, at = [], 0
    for part in parts:
        view = memoryview(part)
        low, high = max(start - at, 0), min(end - at, len(view))
        if low < high:
            slices.append(view[low:high])
        at += len(view)
    return slices


@dataclass(frozen=True)
class Where:
    """What a request turned out to ask for. endpoint: see ENDPOINTS."""

    endpoint: str
    account: str | None = None
    item: str | None = None
    position: int | None = None
    gear: str | None = None


MEDIA = frozenset({"video", "picture", "song", "cover"})
PAGES = frozenset({"profile", "page", "embed", "embed_item"})
AVATAR = "avatar"
BESIDE = frozenset({AVATAR, "script"})
ENDPOINTS = (
    MEDIA
    | PAGES
    | {AVATAR, "list", "oembed", "short", "play", "home", "login", "captcha", "api", "script"}
    | {"other"}
)

EMBEDS = frozenset({"embed", "embed_item"})
PUZZLES = frozenset({"challenge", "challenge_again", "unsolvable"})
PAGE_FAULTS = PUZZLES | {
    "script_wall",
    "script_redirect",
    "hostile",
    "hollow",
    "rewritten",
    "login",
    "changed",
    "code",
    "captcha",
    "system_error",
    "huge",
    "deep",
    "withheld",
    "stuck",
    "repeat",
}
MEDIA_FAULTS = frozenset(
    {
        "expired",
        "truncated",
        "hole",
        "no_ranges",
        "chunked",
        "etag_changes",
        "wrong_range",
        "mislabelled",
    }
)
FAULTS = {
    # anywhere
    "status": "answer with `status` (a kind that is a number means the same)",
    "silent": "close without an answer",
    "stall": "stop after `after` bytes, keeping the connection open (the client's timeout)",
    "drop": "close the connection after `after` bytes",
    "slow": "no faster than `bytes_per_s`",
    "empty": "200 with zero bytes; on lists with the header bdturing-verify",
    "html": "200 with a web page in place of what was asked",
    "redirect": "302 to `to`",
    # pages and lists
    "challenge": "a puzzle, until it is answered rightly `times` times",
    "challenge_again": "a puzzle, whatever the answer",
    "unsolvable": "a puzzle without a solution",
    "login": "redirect to /login",
    "changed": "the usual page or JSON without the parts we read",
    "code": "the usual shape with status code `code` and no content; `message` beside it",
    "captcha": "JSON with code 10000 and verify_event",
    "system_error": "403 with x-tt-system-error: 3",
    "huge": "a page or JSON of `size` bytes (compressed when the client accepts it)",
    "deep": "JSON nested `depth` levels",
    "rewritten": "the usual answer with each of `words` (old -> new) replaced",
    # pages and lists, and what a browser makes of them
    "script_wall": "a page whose script has to run, and lists of zero bytes, until it did; the "
    "script lies on `host` where one is given; `shut`: there is none, and nobody passes",
    "script_redirect": "a page whose script goes to `to` at once",
    "hostile": "the usual page with a script that tries `tricks` (scripts.TRICKS; all that do not "
    "end the page) to reach `host`, evil.example, and `port` of this machine",
    # lists
    "hollow": "code 0 without items and without TotalCount",
    "withheld": "no items, but TotalCount says there are some",
    "stuck": "HasMoreAfter with a cursor that does not grow",
    "repeat": "HasMoreAfter and the same items again",
    # media
    "expired": "403, as when the signature ran out",
    "truncated": "announce and send only the first `after` bytes of the file",
    "hole": "zeros in `length` bytes from `after` on",
    "no_ranges": "ignore Range and send all of it with 200",
    "chunked": "no_ranges, without an announced length; `more` zeros after the file",
    "etag_changes": "another ETag in each answer",
    "wrong_range": "206 with another range than asked",
    "mislabelled": "the right bytes as application/octet-stream",
}


@dataclass
class Fault:
    """Something that goes wrong for matching requests, `times` times or always (None)."""

    kind: str
    match: Mapping[str, Any]
    times: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    hits: int = 0

    def matches(self, request: Request, where: Where) -> bool:
        if self.times is not None and self.hits >= self.times:
            return False
        # "This account is challenged" means its pages and lists, not its files; and so on.
        if where.endpoint in BESIDE and self.match.get("endpoint") != where.endpoint:
            return False  # it fails when that is what is meant
        if self.kind in (PAGE_FAULTS if where.endpoint in MEDIA | {AVATAR} else MEDIA_FAULTS):
            return False
        if self.kind in PUZZLES and "endpoint" not in self.match and where.endpoint in EMBEDS:
            return False  # embeds are not known to challenge anybody
        return all(_holds(key, expected, request, where) for key, expected in self.match.items())


def _holds(key: str, expected: Any, request: Request, where: Where) -> bool:
    if key == "text":
        return expected in request.url
    if key == "endpoint":
        group = {"media": MEDIA, "pages": PAGES, "any": ENDPOINTS}.get(expected, {expected})
        return where.endpoint in group
    if key == "method":
        return bool(request.method == expected)
    if key == "host":
        return request.host.startswith(expected)
    if key == "agent":
        return expected in request.user_agent
    if key == "hints":
        return expected in request.headers.get("sec-ch-ua", "")
    if key == "headless":
        return request.is_headless == bool(expected)
    if key == "browser":
        return request.is_browser == bool(expected)
    if key == "referer":
        return ("referer" in request.headers) == bool(expected)
    if key == "ranged":
        return ("range" in request.headers) == bool(expected)
    return bool(getattr(where, key) == expected)


class Faultable(Protocol):
    """An account, a story or a file, which faults can be made for."""

    @property
    def fault_match(self) -> dict[str, Any]:
        """What a request for it has, by the names of MATCH_KEYS."""


Subject = str | Mapping[str, Any] | Faultable


def match_of(what: Subject) -> dict[str, Any]:
    """A match from whatever names it best: an endpoint, part of a URL, an account, a story."""
    if isinstance(what, Mapping):
        unknown = set(what) - MATCH_KEYS
        if unknown:
            raise ValueError(f"cannot match on {sorted(unknown)}")
        return dict(what)
    if isinstance(what, str):
        if what in ENDPOINTS or what in {"media", "pages", "any"}:
            return {"endpoint": what}
        return {"text": what}
    return what.fault_match


MATCH_KEYS = {
    *("text", "endpoint", "method", "host", "ranged", "agent", "referer"),
    *("hints", "headless", "browser"),
    *(one.name for one in dataclasses.fields(Where)),
}


@dataclass(frozen=True)
class Seen:
    """A line of the request log. status: 0 where the connection was closed without an answer."""

    method: str
    host: str
    path: str
    headers: Mapping[str, str]
    where: Where
    status: int
    fault: str | None

    @property
    def url(self) -> str:
        return f"https://{self.host}{self.path}"

    @property
    def endpoint(self) -> str:
        return self.where.endpoint

    def as_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "url": self.url,
            "headers": dict(self.headers),
            "status": self.status,
            "fault": self.fault,
            **dataclasses.asdict(self.where),
        }


class Faults:
    """The faults in force, first match first."""

    def __init__(self) -> None:
        self._all: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        if fault.kind not in FAULTS:
            raise ValueError(f"no fault is called {fault.kind!r}")
        with self._lock:
            self._all.append(fault)
        return fault

    def find(self, request: Request, where: Where) -> Fault | None:
        with self._lock:
            return next((fault for fault in self._all if fault.matches(request, where)), None)

    def hit(self, fault: Fault) -> None:
        with self._lock:
            fault.hits += 1

    def clear(self) -> None:
        with self._lock:
            self._all.clear()

    def as_json(self) -> list[dict[str, Any]]:
        with self._lock:
            return [dataclasses.asdict(fault) for fault in self._all]

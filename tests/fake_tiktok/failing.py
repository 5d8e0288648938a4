"""Faults at work: the answer to a request that a fault was put in the way of."""

from __future__ import annotations

from urllib.parse import quote

from tests.fake_tiktok import lists, pages, scripts, walls
from tests.fake_tiktok.answers import Answers
from tests.fake_tiktok.exchange import (
    EMBEDS,
    MEDIA,
    PUZZLES,
    Fault,
    Faults,
    Request,
    Response,
    Where,
    sliced,
)
from tests.fake_tiktok.state import State

_ZEROS = bytes(256 * 1024)


class Failing:
    """Answers requests as a fault says. FAULTS in exchange.py describes each kind."""

    def __init__(self, state: State, answers: Answers, faults: Faults) -> None:
        self._state, self._answers, self._faults = state, answers, faults
        self._puzzles: dict[str, pages.Puzzle] = {}

    def answer(self, fault: Fault, request: Request, where: Where) -> Response | None:
        """The answer with the fault in it; None when the fault does not apply after all."""
        if fault.kind in PUZZLES:
            return self._challenge(fault, request, where)
        if fault.kind in walls.WALLS:
            return walls.answer(self._state, fault, request, where)
        if fault.kind == "hollow" and where.endpoint == "list":
            return lists.hollow(self._state, request)
        if fault.kind in {"rewritten", "hostile"}:
            plain = self._answers.answer(_without(request, "accept-encoding"), where)
            return _rewritten(fault, plain)
        early = self._refusal(fault, request, where)
        if early is not None:
            return early
        response = self._answers.answer(request, where)
        if where.endpoint in MEDIA:
            return self._media_fault(fault, request, response)
        has_list = where.endpoint == "list" and response.parts
        if has_list and fault.kind in {"withheld", "stuck", "repeat"}:
            return self._list_fault(fault, request, where, response)
        return _slowed(fault, response)

    def _challenge(self, fault: Fault, request: Request, where: Where) -> Response | None:
        subject = where.account or request.bare_path
        pending = self._puzzles.get(subject)
        if fault.kind == "challenge" and pending is not None and pending.accepts(request.cookies):
            del self._puzzles[subject]
            self._faults.hit(fault)
            return None
        puzzle = pages.puzzle(
            self._state.rng,
            self._state.now(),
            fault.options.get("reach", 3000),
            fault.options.get("second", ""),
            fault.kind != "unsolvable",
        )
        self._puzzles[subject] = puzzle
        response = pages.html(request, puzzle.page())
        if fault.kind == "challenge":
            fault.hits -= 1  # the site counts it; only a right answer does here
        return response

    # --- in place of an answer --------------------------------------------------------------

    def _refusal(self, fault: Fault, request: Request, where: Where) -> Response | None:
        kind, options = fault.kind, fault.options
        if kind in {"status", "expired"}:
            headers = [(str(n), str(v)) for n, v in options.get("headers", {}).items()]
            if "retry_after" in options:
                headers.append(("Retry-After", str(options["retry_after"])))
            response = pages.plain_page(request, "Refused", options.get("status", 403))
            response.headers += headers
            return response
        if kind == "silent":
            return Response(silent=True)
        if kind == "empty":
            content_type = "application/json" if where.endpoint == "list" else "text/html"
            headers = [("Content-Type", content_type), ("Bdturing-Verify", '{"code":"10000"}')]
            return Response(200, headers if where.endpoint not in MEDIA else [])
        if kind == "html":
            return pages.plain_page(request, "Access denied, please verify")
        if kind in {"redirect", "login"}:
            login = f"https://www.tiktok.com/login?redirect_url={quote(request.url)}"
            return pages.redirect(options["to"] if kind == "redirect" else login)
        if kind == "system_error":
            response = pages.plain_page(request, "Access Denied", 403)
            response.headers.append(("X-TT-System-Error", "3"))
            return response
        if kind == "captcha":
            verify = {"code": "10000", "from": "", "type": "verify", "verify_event": "x"}
            return pages.json_answer(request, verify)
        if kind == "huge":
            return pages.huge(request, options.get("size", 64 * 2**20))
        if kind == "deep":
            return pages.deep(request, options.get("depth", 100_000))
        return self._changed(fault, request, where)

    def _changed(self, fault: Fault, request: Request, where: Where) -> Response | None:
        if fault.kind == "changed":
            if where.endpoint == "list":
                return pages.json_answer(request, {"data": {"stories": []}, "ok": True})
            return pages.without_data(request, self._state.page_bytes)
        if fault.kind == "code":
            code = fault.options["code"]
            message = fault.options.get("message", f"code {code}")
            if where.endpoint == "list":
                return lists.answer(self._state, request, code, message, ())
            if where.endpoint in EMBEDS:
                said = {"code": code, "customErrorCode": code, "statusMsg": message}
                return self._answers.embed_answer(request, said)
            name = "webapp.user-detail" if where.endpoint == "profile" else "webapp.video-detail"
            scope = {name: {"statusCode": code, "statusMsg": message}}
            return pages.rehydration(request, scope, "TikTok", self._state.page_bytes)
        return None

    # --- in the answer ----------------------------------------------------------------------

    def _list_fault(
        self, fault: Fault, request: Request, where: Where, response: Response
    ) -> Response:
        plain = _without(request, "accept-encoding")
        listing = self._answers.listing(plain, where).json()
        cursor = int(request.parameters.get("cursor") or 0)
        if fault.kind == "withheld":
            listing.pop("itemList", None)
            listing["TotalCount"] = str(fault.options.get("total", 3))
        elif fault.kind == "stuck":
            listing |= {"HasMoreAfter": True, "MaxCursor": cursor}
        else:
            path = _with_cursor_0(plain.path)
            first = Request(plain.method, plain.host, path, plain.headers)
            listing = self._answers.listing(first, where).json()
            listing |= {"HasMoreAfter": True, "MaxCursor": max(cursor, 1) * 2}
        cookies = [pair for pair in response.headers if pair[0] == "Set-Cookie"]
        return pages.json_answer(request, listing, *cookies)

    def _media_fault(self, fault: Fault, request: Request, response: Response) -> Response:
        kind, options = fault.kind, fault.options
        if response.status not in {200, 206}:
            return response
        length = response.length
        if kind == "truncated":
            response.parts = sliced(response.parts, 0, options.get("after", length // 2))
        elif kind == "hole":
            start = options.get("after", length // 2)
            size = min(options.get("length", 65536), max(length - start, 0))
            response.parts = [
                *sliced(response.parts, 0, start),
                memoryview(bytes(size)),
                *sliced(response.parts, start + size, length),
            ]
        elif kind in {"no_ranges", "chunked"}:
            response = self._answers.media(_without(request, "range", "if-range"))
            response.headers = [p for p in response.headers if p[0] != "Accept-Ranges"]
            response.chunked = kind == "chunked"
            response.parts += zeros(options.get("more", 0))
        elif kind == "etag_changes":
            response = self._another_etag(request)
        elif kind == "wrong_range" and response.status == 206:
            _replace(response, "Content-Range", f"bytes 7-{6 + length}/{length * 9}")
        elif kind == "mislabelled":
            _replace(response, "Content-Type", "application/octet-stream")
        return _slowed(fault, response)

    def _another_etag(self, request: Request) -> Response:
        bare = _without(request, "if-range")
        if "if-range" in request.headers:
            bare = _without(bare, "range")  # never the same, so all of it
        response = self._answers.media(bare)
        _replace(response, "ETag", f'"changed-{self._state.next_serial()}"')
        return response


def zeros(count: int) -> list[memoryview]:
    """So many zeros, in pieces that share their bytes."""
    whole, rest = divmod(count, len(_ZEROS))
    return [memoryview(_ZEROS)] * whole + [memoryview(_ZEROS)[:rest]]


def _without(request: Request, *names: str) -> Request:
    headers = {name: value for name, value in request.headers.items() if name not in names}
    return Request(request.method, request.host, request.path, headers)


def _replace(response: Response, name: str, value: str) -> None:
    response.headers = [pair for pair in response.headers if pair[0] != name]
    response.headers.append((name, value))


def _rewritten(fault: Fault, response: Response) -> Response:
    """A page or a list in other words, or with a script at its end."""
    options = fault.options
    body = response.body
    for old, new in options.get("words", {}).items():
        body = body.replace(old.encode(), new.encode())
    if fault.kind == "hostile":
        usual = scripts.TRICKS.keys() - scripts.ENDING
        tricks = options.get("tricks", sorted(usual))
        host, port = options.get("host", "evil.example"), options.get("port", 9)
        source = scripts.hostile(tricks, host, port)
        body = body.replace(b"</body>", f"<script>{source}</script></body>".encode())
    response.parts = [memoryview(body)]
    return response


def _slowed(fault: Fault, response: Response) -> Response:
    if fault.kind == "drop":
        response.cut_after = fault.options.get("after", response.length // 2)
    elif fault.kind == "stall":
        response.hang_after = fault.options.get("after", response.length // 2)
    elif fault.kind == "slow":
        response.bytes_per_s = fault.options.get("bytes_per_s", 65536)
    return response


def _with_cursor_0(path: str) -> str:
    bare, _, query = path.partition("?")
    pairs = [pair for pair in query.split("&") if not pair.startswith("cursor=")]
    return f"{bare}?{'&'.join([*pairs, 'cursor=0'])}"

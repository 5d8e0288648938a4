"""Walls that only a browser gets past, as a script has to run, and pages whose script leaves."""

from __future__ import annotations

from tests.fake_tiktok import scripts
from tests.fake_tiktok.exchange import Fault, Request, Response, Where
from tests.fake_tiktok.pages import html
from tests.fake_tiktok.state import State

WALLS = frozenset({"script_wall", "script_redirect"})


def answer(state: State, fault: Fault, request: Request, where: Where) -> Response | None:
    """The answer to a request behind such a wall; None for whoever got past it."""
    if fault.kind == "script_redirect":
        return _leaving(request, fault.options["to"])
    shut = bool(fault.options.get("shut"))
    if scripts.passes(request.cookies) and not shut:
        return None
    if where.endpoint in {"list", "api", "oembed"}:
        headers = [("Content-Type", "application/json"), ("Bdturing-Verify", '{"code":"10000"}')]
        return Response(200, headers)
    host = fault.options.get("host", "")
    run = f' src="https://{host}{scripts.GATE_PATH}">' if host else f">{scripts.GATE}"
    return _wall(request, scripts.nonce(state.next_serial()), ">" if shut else run)


def script(request: Request) -> Response:
    """A script of the pages, from the host that has them."""
    source = scripts.GATE if request.bare_path == scripts.GATE_PATH else scripts.PUZZLE_SOLVER
    headers = [
        ("Content-Type", "application/javascript; charset=utf-8"),
        ("Access-Control-Allow-Origin", "*"),
    ]
    return Response(200, headers, [memoryview(source.encode())])


def _wall(request: Request, nonce: str, script: str) -> Response:
    slardar = '{"slardarClient":"SlardarWAF","bid":"slardar_us_waf","pid":"js-61"}'
    return html(
        request,
        '<!DOCTYPE html><html><head><meta charset="utf-8"><title></title>'
        f'<script id="slardar-config" type="application/json">{slardar}</script></head>'
        f'<body>Please wait...<p id="wg" class="{nonce}"></p><script{script}</script>'
        "</body></html>",
    )


def _leaving(request: Request, to: str) -> Response:
    return html(
        request,
        '<!DOCTYPE html><html><head><meta charset="utf-8"><title>TikTok - Make Your Day</title>'
        f"<script>{scripts.leave_for(to)}</script></head><body></body></html>",
    )

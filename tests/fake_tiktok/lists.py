"""The JSON of the story list, and what it says to those who get none of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.fake_tiktok import pages
from tests.fake_tiktok.exchange import Request, Response
from tests.fake_tiktok.state import State

Cookies = Sequence[tuple[str, str]]


def answer(
    state: State, request: Request, code: int, message: str, cookies: Cookies, **fields: Any
) -> Response:
    """The list's JSON with a status code."""
    logid = f"20261120{state.serial:010d}N2M2313060356N6F"
    return pages.json_answer(
        request,
        {
            **fields,
            "extra": {"fatal_item_ids": [], "logid": logid, "now": int(state.now() * 1000)},
            "log_pb": {"impr_id": logid},
            "statusCode": code,
            "status_code": code,
            "status_msg": message,
        },
        *cookies,
    )


def hollow(state: State, request: Request, cookies: Cookies = ()) -> Response:
    """A list that says neither that there are stories nor that there are none."""
    said = {"HasMoreAfter": False, "HasMoreBefore": False, "MaxCursor": 0, "MinCursor": 0}
    return answer(state, request, 0, "", cookies, **said)


def unsigned(state: State, request: Request, cookies: Cookies) -> Response:
    """The list for requests without a signature, where the site wants one."""
    if state.signed_list == "zero":
        headers = [("Content-Type", "application/json"), ("Bdturing-Verify", "1"), *cookies]
        return Response(200, headers)
    return hollow(state, request, cookies)

"""Whole bodies in a sample: a page as the data in it, a challenge as its shape, a list as it is.

The reader takes a body apart before it reads it (wire/bodies.py, challenge.py); a sample holds the
parts, and whoever reads it again puts them together.
"""

from __future__ import annotations

from typing import Any, Final

from stories import challenge
from stories.errors import Challenged, UpstreamChanged
from stories.neutral.substitutes import Substitutes
from stories.neutral.values import NeutralJson
from stories.protocol.current import current
from stories.wire.bodies import EMBED_SCRIPT, PAGE_SCRIPT, load_json, script_text

_SCRIPTS: Final = (PAGE_SCRIPT, EMBED_SCRIPT)
_READ_SCOPES: Final = frozenset(
    {
        "webapp.user-detail",
        "webapp.reflow.user.detail",
        "webapp.video-detail",
        "webapp.reflow.video.detail",
    }
)
"""Parts of a page's data that are read."""
_UNREAD_DEPTH: Final = 3
_UNREAD_ENTRIES: Final = 2
_ACCOUNT_KEYS: Final = frozenset({"uniqueId", "id"})


def neutral_body(body: bytes, subs: Substitutes) -> dict[str, Any]:
    """The parts of a body: `kind`, and by kind what else is read of it.

    "empty" (bytes: none at all, or white space) · "page" (script: its id; data: the JSON in it, or
    error) · "html" (any other page) · "challenge" (elements) · "json" (data) · "text" (error: why
    it is no JSON). Pages have `marks`, which tell a challenge or a page without its data, and
    `large`, too large to be a challenge.
    """
    if not body.strip():
        return {"kind": "empty", "bytes": min(len(body), 1)}
    for script in _SCRIPTS:
        text = script_text(body, script)
        if text is not None:
            return {**_marks(body, "page"), "script": script.decode(), **_page_data(text, subs)}
    if challenge.is_challenge(body):
        return {**_marks(body, "challenge"), "elements": _elements(body, subs)}
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if text.startswith(b"<") or b"<html" in body[:2000].lower():
        return _marks(body, "html")
    return _answer(text, body, subs)


def _marks(body: bytes, kind: str) -> dict[str, Any]:
    shell = [mark.decode() for mark in current().marks.shell if mark in body]
    return {
        "kind": kind,
        "marks": [*challenge.marks(body), *shell],
        "large": len(body) >= challenge.MAX_CHALLENGE_BYTES,
        "html": body.removeprefix(b"\xef\xbb\xbf").strip().startswith(b"<"),
    }


def _answer(text: bytes, body: bytes, subs: Substitutes) -> dict[str, Any]:
    try:
        data = load_json(text)
    except UpstreamChanged as error:
        return {**_marks(body, "text"), "error": error.detail}
    return {"kind": "json", "data": _neutral(data, subs)}


def _page_data(text: bytes, subs: Substitutes) -> dict[str, Any]:
    try:
        data = load_json(text)
    except UpstreamChanged as error:
        return {"error": error.detail}
    if isinstance(data, dict):
        scope = data.get("__DEFAULT_SCOPE__")
        if isinstance(scope, dict):
            data = {**data, "__DEFAULT_SCOPE__": _cut_scope(scope)}
    return {"data": _neutral(data, subs)}


def _neutral(data: Any, subs: Substitutes) -> Any:
    made = NeutralJson(subs)
    made.learn_names(data)
    return made.value(data)


def _cut_scope(scope: dict[str, Any]) -> dict[str, Any]:
    """A page's data without most of what nobody reads: the parts that hold no account are cut."""
    return {
        key: value if key in _READ_SCOPES or _holds_account(value) else _skeleton(value)
        for key, value in scope.items()
    }


def _holds_account(root: Any) -> bool:
    level, left = [root], 50_000
    while level and left > 0:
        below: list[Any] = []
        for node in level:
            left -= 1
            if isinstance(node, dict):
                if node.keys() >= _ACCOUNT_KEYS:
                    return True
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
        level = [node for node in below if isinstance(node, dict | list)]
    return False


def _skeleton(value: Any, depth: int = 0) -> Any:
    if isinstance(value, dict):
        if depth >= _UNREAD_DEPTH:
            return {}
        return {key: _skeleton(inner, depth + 1) for key, inner in list(value.items())[:60]}
    if isinstance(value, list):
        return [_skeleton(entry, depth + 1) for entry in value[:_UNREAD_ENTRIES]]
    return value


def _elements(body: bytes, subs: Substitutes) -> dict[str, Any]:
    """The parts of a challenge page: classes by id, and in `cs` the puzzle, unpacked.

    solvable: whether we could answer it; the puzzle's own bytes are left out.
    """
    try:
        found = challenge.elements(body)
    except Challenged as error:
        return {"error": error.detail}
    made: dict[str, Any] = {key: _class(found[key], subs) for key in found if key != "cs"}
    try:
        puzzle = challenge.read_puzzle(found.get("cs", ""))
    except Challenged as error:
        made["error"] = error.detail
    else:
        made["cs"] = _neutral(puzzle, subs)
    try:
        challenge.solve(body)
    except Challenged as error:
        made |= {"solvable": False, "error": error.detail}
    else:
        made["solvable"] = True
    return made


def _class(text: str, subs: Substitutes) -> str:
    return text if text in {"", "_wafchallengeid", "waforiginalreid"} else subs.token(text)

"""A browser of the fake: what it reads out of pages and lists, and recordings to compare with."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import httpx

from tests.fake_tiktok import Account

UA = "Mozilla/5.0 (X11; Linux x86_64) test"
REFERER = "https://www.tiktok.com/"
SAMPLES = Path(__file__).parents[2] / "samples"


def listed(web: httpx.Client, account: Account, **more: Any) -> dict[str, Any]:
    """One answer of the list of an account's stories; more: parameters of the query."""
    parameters = {"aid": "1988", "authorId": account.id, "count": "20", "cursor": "0", **more}
    answer: dict[str, Any] = web.get(
        "https://www.tiktok.com/api/story/item_list/", params=parameters
    ).json()
    return answer


def data_in(page: httpx.Response) -> dict[str, Any]:
    """The data of a page, by the name of its scope."""
    matched = re.search(r'id="__UNIVERSAL_DATA_FOR_REHYDRATION__"[^>]*>(.*?)</script>', page.text)
    assert matched is not None
    scope: dict[str, Any] = json.loads(matched[1])["__DEFAULT_SCOPE__"]
    return scope


def play_addr(web: httpx.Client, account: Account) -> str:
    """The address of the first listed video."""
    address: str = listed(web, account)["itemList"][0]["video"]["playAddr"]
    return address


def sample(name: str) -> Any:
    """A recorded answer."""
    return json.loads((SAMPLES / name).read_text())


def differences(produced: Any, recorded: Any, path: str = "") -> list[str]:
    """Where a made value has a field or a type that the recording has not."""
    if isinstance(produced, dict) and isinstance(recorded, dict):
        paths = [f"{path}.{name} is new" for name in produced.keys() - recorded.keys()]
        for name in produced.keys() & recorded.keys():
            paths += differences(produced[name], recorded[name], f"{path}.{name}")
        return paths
    if isinstance(produced, list) and isinstance(recorded, list):
        return differences(produced[0], recorded[0], f"{path}[]") if produced and recorded else []
    same = type(produced) is type(recorded)
    return [] if same else [f"{path}: {type(produced).__name__} for {type(recorded).__name__}"]


def answered(page: str) -> dict[str, str]:
    """The cookies that answer the puzzle on a page."""
    packed = re.search(r'id="cs" class="([^"]*)"', page)
    second = re.search(r'id="rs" class="([^"]*)"', page)
    assert packed is not None
    assert second is not None
    challenge = json.loads(base64.b64decode(packed[1] + "==="))
    prefix, digest = (base64.b64decode(challenge["v"][name]) for name in "ac")
    number = next(
        n for n in range(1_000_001) if hashlib.sha256(prefix + b"%d" % n).digest() == digest
    )
    challenge["d"] = base64.b64encode(b"%d" % number).decode()
    raw = json.dumps(challenge, separators=(",", ":")).encode()
    return {"_wafchallengeid": base64.b64encode(raw).decode(), "waforiginalreid": second[1]}


def cookies(values: dict[str, str]) -> dict[str, str]:
    """The headers that send these cookies."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in values.items())}

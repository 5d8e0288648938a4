"""TikTok's answers for the tests of wire: recorded, or constructed from recorded ones.

Recorded payloads are read as they are. A payload built here from them is called constructed.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stories import wire
from stories.structures import Author, Target, TargetKind
from stories.wire import StoryPage

SAMPLES = Path(__file__).parents[3] / "samples"
USER_ID = "6812345678901234567"
SEC_UID = "MS4wLjABAAAAuqccu8k_1KABDBn39RBJGNa25LR7nYqPCSkPudN__kCDW5QVfaiPkcDwSM5LPITv"
SAMPLE = Author(id=USER_ID, name="sample.user")
ASKED = Target(kind=TargetKind.USER, name="sample.user")
STORY_ID = "7626099422044159982"
POSTED = datetime(2026, 4, 7, 19, 20, 37, tzinfo=UTC)
LEAVES = POSTED + timedelta(hours=24)
NOW = POSTED + timedelta(hours=1)
VIDEO_ID = "7513039991730291236"
PHOTO_ID = "7681723801485487053"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def page(data: Any, script: str = "__UNIVERSAL_DATA_FOR_REHYDRATION__") -> bytes:
    """A page around recorded data: some text before and after, as large pages have."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (
        f"<!DOCTYPE html><html><head><script>window.x='{script}'</script></head><body>"
        f'<script id="{script}" type="application/json">{text}</script>'
        "<script>var later = 1</script></body></html>"
    ).encode()


def embed(data: Any) -> bytes:
    return page(data, "__FRONTITY_CONNECT_STATE__")


def scope(key: str, detail: Any) -> bytes:
    return page({"__DEFAULT_SCOPE__": {"webapp.app-context": {"user": {}}, key: detail}})


def body(data: Any) -> bytes:
    return json.dumps(data).encode()


def story_item(**changes: Any) -> dict[str, Any]:
    """Constructed: the partly recorded story, with the addresses of a recorded video."""
    item = copy.deepcopy(sample("story_item_PARTIAL")["itemList"][0])
    item["video"] = copy.deepcopy(sample("web_item_video_1080hevc_540h264")["itemList"][0]["video"])
    return {**item, **changes}


def photo_item(slides: int = 2, **changes: Any) -> dict[str, Any]:
    """Constructed: the partly recorded story as a photo, with the slides of a recorded one."""
    recorded = sample("page_photo_2_images")["__DEFAULT_SCOPE__"]["webapp.video-detail"]
    post = copy.deepcopy(recorded["itemInfo"]["itemStruct"])
    post["imagePost"]["images"] = post["imagePost"]["images"][:slides]
    item = story_item(imagePost=post["imagePost"], video=post["video"])
    return {**item, **changes}


def listing(*items: Any, **changes: Any) -> bytes:
    """Constructed: the list around items; no full list was ever published."""
    return body({"statusCode": 0, "itemList": list(items), "HasMoreAfter": False, **changes})


def read(answer: bytes, *, now: datetime = NOW) -> StoryPage:
    return wire.story_page(answer, SAMPLE, now=now)


# --- accounts ---------------------------------------------------------------------------------


CHALLENGE = b'<html>Please wait...<script id="slardar-config">SlardarWAF</script></html>'


# --- media ------------------------------------------------------------------------------------


HOST = "https://v16-webapp-prime.tiktok.com"


# --- single items -----------------------------------------------------------------------------


def embed_page(**changes: Any) -> bytes:
    """Constructed from the described embed dialect; none was recorded."""
    found = {
        "itemInfos": {
            "id": STORY_ID,
            "text": "story test",
            "createTime": "1775589637",
            "video": {
                "urls": [f"{HOST}/x/?a=1", f"{HOST}/x/?a=2"],
                "videoMeta": {"width": 576, "height": 1024, "duration": 9},
            },
        },
        "authorInfos": {"userId": USER_ID, "uniqueId": "Sample.User", "nickName": "x"},
        "musicInfos": {"playUrl": [f"{HOST}/song/"]},
    }
    return embed(
        {"source": {"data": {f"/embed/v2/{STORY_ID}": {"videoData": {**found, **changes}}}}}
    )

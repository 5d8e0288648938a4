"""The JSON of embed pages.

`/embed/v2/` was never recorded; its fields are those that clients read.
"""

from __future__ import annotations

from typing import Any

from tests.fake_tiktok import cdn
from tests.fake_tiktok.accounts import Account, FakeStory, avatar_key
from tests.fake_tiktok.state import State


def user(state: State, account: Account | None) -> dict[str, Any]:
    """The user of an embed page; empty where it shows none."""
    if account is None or account.profile_code in {10221, 10202}:
        return {"code": 10202, "customErrorCode": 10202}
    if not account.embeddable or account.private:
        return {}
    return {
        "avatarThumbUrl": cdn.avatar_url(avatar_key(account), 100, state.now(), state.media_life_s),
        "code": 200,
        "customErrorCode": 0,
        "followerCount": 122222,
        "followingCount": 122,
        "heartCount": 1222222,
        "id": account.id,
        "nickname": account.nickname,
        "privateAccount": False,
        "signature": "Sample bio",
        "uniqueId": account.name,
        "verified": account.verified,
    }


def item(state: State, story: FakeStory) -> dict[str, Any]:
    """The data of a story's or a post's embed page."""
    now, life = state.now(), state.media_life_s
    size = story.renditions[0].size if story.renditions else (0, 0)
    files = story.files if story.kind == "video" else []
    data: dict[str, Any] = {
        "itemInfos": {
            "id": story.id,
            "text": story.caption,
            "createTime": str(int(story.created)),
            "authorId": story.account.id,
            "covers": [],
            "video": {
                "urls": [cdn.app_url(t, now, life, cdn.EMBED_HOST) for t in files],
                "videoMeta": {
                    "width": size[0],
                    "height": size[1],
                    "duration": round(story.seconds),
                },
            },
        },
        "authorInfos": {
            "userId": story.account.id,
            "uniqueId": story.account.name,
            "secUid": story.account.sec_uid,
            "nickName": story.account.nickname,
            "verified": story.account.verified,
        },
        "musicInfos": {"musicId": "7400000000000000001", "musicName": "Sample sound title"},
    }
    if story.pictures:
        data["imagePostInfo"] = {
            "displayImages": [
                {"urlList": cdn.picture_urls(t, now, life), "width": w, "height": h}
                for t, (w, h) in story.pictures
            ]
        }
    return {key: value for key, value in {**data, **story.embed}.items() if value is not None}


def oembed(story: FakeStory) -> dict[str, Any]:
    """What oEmbed answers about a story or a post; there is no id of the account in it."""
    return {
        "version": "1.0",
        "type": "video",
        "title": story.caption,
        "author_url": f"https://www.tiktok.com/@{story.account.name}",
        "author_name": story.account.nickname,
        "author_unique_id": story.account.name,
        "embed_product_id": story.id,
        "embed_type": "video",
        "provider_name": "TikTok",
    }

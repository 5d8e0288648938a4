"""The JSON of users and items, field by field as recorded.

Story items are constructed: a recorded web item plus the recorded `story` object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.fake_tiktok import cdn, media
from tests.fake_tiktok.accounts import GEAR_NAMES, Account, FakeStory, Rendition, avatar_key
from tests.fake_tiktok.cdn import MediaObject
from tests.fake_tiktok.state import State


class Shapes:
    """Writes users and items with a site's clock and the lifetimes of its addresses."""

    def __init__(self, state: State) -> None:
        self._state = state

    def _avatars(self, account: Account) -> dict[str, str]:
        now, life = self._state.now(), self._state.media_life_s
        return {
            f"avatar{name}": cdn.avatar_url(avatar_key(account), side, now, life)
            for name, side in (("Larger", 1080), ("Medium", 720), ("Thumb", 100))
        }

    def user(self, account: Account) -> dict[str, Any]:
        status = account.story_status
        if status is None:
            status = int(any(s.expires > self._state.now() for s in account.stories))
        return {
            "UserStoryStatus": status,
            **self._avatars(account),
            "canExpPlaylist": True,
            "commentSetting": 0,
            "createTime": 1600000000,
            "ftc": False,
            "id": account.id,
            "isADVirtual": False,
            "isEmbedBanned": not account.embeddable,
            "nickname": account.nickname,
            "openFavorite": False,
            "privateAccount": account.private,
            "profileEmbedPermission": 1,
            "relation": 0,
            "roomId": "",
            "secUid": account.sec_uid,
            "secret": account.secret,
            "shortId": "",
            "signature": "Sample bio ✨",
            "uniqueId": account.name,
            "uniqueIdModifyTime": 0,
            "verified": account.verified,
            **account.user,
        }

    def item(self, story: FakeStory, token: str, *, page: bool = False) -> dict[str, Any]:
        """The item structure: numbers in API answers, strings in pages, as recorded."""
        number: Callable[[int], Any] = str if page else int
        author = story.posed_as or story.account
        item: dict[str, Any] = {
            "AIGCDescription": "",
            "CategoryType": 120,
            "author": {
                "UserStoryStatus": 1,
                **self._avatars(author),
                "commentSetting": 0,
                "ftc": False,
                "id": author.id,
                "nickname": author.nickname,
                "privateAccount": author.private,
                "relation": 0,
                "secUid": author.sec_uid,
                "secret": False,
                "signature": "Sample bio",
                "uniqueId": author.name,
                "verified": author.verified,
            },
            "challenges": [],
            "collected": False,
            "createTime": number(int(story.created)),
            "desc": story.caption,
            "digged": False,
            "duetDisplay": 0,
            "forFriend": False,
            "id": story.id,
            "isAd": False,
            "isReviewing": False,
            "itemCommentStatus": 0,
            "music": self._music(story),
            "officalItem": False,
            "originalItem": False,
            "privateItem": False,
            "secret": False,
            "shareEnabled": True,
            "stats": {
                "collectCount": 12222,
                "commentCount": 12222,
                "diggCount": 122222,
                "playCount": 12222222,
                "shareCount": 12222,
            },
            "textExtra": [],
            "textLanguage": "en",
            "video": self._video(story, token, number),
        }
        if story.is_story:
            item["story"] = {"ExpiredAt": int(story.expires * 1000), "Viewed": False}
        if story.pictures:
            item["imagePost"] = self._image_post(story)
        return _merged(item, story.item)

    def _music(self, story: FakeStory) -> dict[str, Any]:
        music: dict[str, Any] = {
            "authorName": "Sample Artist",
            "duration": round(story.song_seconds or story.seconds) or 15,
            "id": "7400000000000000001",
            "isCopyrighted": story.song is None,
            "original": story.song is None,
            "private": False,
            "title": "Sample sound title",
        }
        if story.song is not None:
            music["playUrl"] = cdn.app_url(
                story.song, self._state.now(), self._state.song_life_s, cdn.SONG_HOST
            )
        return music

    def _cover(self, story: FakeStory) -> str:
        if story.cover is None:
            return ""
        return cdn.picture_urls(story.cover, self._state.now(), self._state.media_life_s)[0]

    def _video(self, story: FakeStory, token: str, number: Callable[[int], Any]) -> dict[str, Any]:
        video: dict[str, Any] = {
            "cover": self._cover(story),
            "downloadAddr": "",
            "duration": 0,
            "dynamicCover": "",
            "height": 0,
            "id": story.id,
            "playAddr": "",
            "ratio": "",
            "width": 0,
        }
        if not story.renditions:
            return video
        gears = [self._gear(story, rendition, token, number) for rendition in story.renditions]
        plain = next(
            (g for g in gears if g["CodecType"] == "h264" and g["Format"] == "mp4"), gears[0]
        )
        address = plain["PlayAddr"]
        if story.watermarked is not None:
            video["downloadAddr"] = self.urls(story.watermarked, token)[0]
        video |= {
            "PlayAddrStruct": address,
            "VQScore": "63.4",
            "bitrate": plain["Bitrate"],
            "codecType": plain["CodecType"],
            "definition": "540p",
            "duration": round(story.seconds),
            "encodeUserTag": "",
            "encodedType": "normal",
            "format": "mp4",
            "height": address["Height"],
            "originCover": self._cover(story),
            "playAddr": address["UrlList"][0],
            "ratio": "540p",
            "size": address["DataSize"],
            "videoID": address["Uri"],
            "videoQuality": "normal",
            "volumeInfo": {"Loudness": -20.1, "Peak": 0.2851},
            "width": address["Width"],
        }
        if story.gears_listed:
            video["bitrateInfo"] = gears
        sounds = {r.sound.key: r.sound for r in story.renditions if r.sound is not None}
        if sounds:
            video["bitrateAudioInfo"] = [self._sound(sound, token) for sound in sounds.values()]
        return video

    def urls(self, file: MediaObject, token: str) -> list[str]:
        return cdn.video_urls(file, self._state.now(), self._state.media_life_s, token, file.item)

    def _gear(
        self, story: FakeStory, rendition: Rendition, token: str, number: Callable[[int], Any]
    ) -> dict[str, Any]:
        width, height = rendition.size
        uri = f"v14044g50000{rendition.thing.key[:20]}"
        part = {"h264": "h264", "hevc": "bytevc1", "bytevc2": "bytevc2"}[rendition.codec]
        codec_type = "h265_hvc1" if rendition.codec == "hevc" else rendition.codec
        nominal = GEAR_NAMES.get(width, width)
        return {
            "Bitrate": rendition.bitrate,
            "BitrateFPS": media.FPS,
            "CodecType": codec_type,
            "Format": rendition.format,
            "GearName": rendition.gear_name,
            "PlayAddr": {
                "DataSize": number(rendition.thing.size),
                "FileCs": "c:0-76453-0229",
                "FileHash": hashlib.md5(rendition.thing.body, usedforsecurity=False).hexdigest()
                if rendition.thing.size < 100_000
                else rendition.thing.key,
                "Height": height,
                "Uri": uri,
                "UrlKey": f"{uri}_{part}_{nominal}p_{rendition.bitrate}",
                "UrlList": self.urls(rendition.thing, token),
                "Width": width,
            },
            "QualityType": rendition.quality,
            **(
                {"VideoExtra": json.dumps({"audio_file_id": rendition.sound.key})}
                if rendition.sound
                else {}
            ),
        }

    def _sound(self, sound: MediaObject, token: str) -> dict[str, Any]:
        """An entry of `bitrateAudioInfo`, shaped as described; none was recorded."""
        main, backup, fallback = self.urls(sound, token)
        return {
            "AudioQuality": "normal",
            "Bitrate": 64000,
            "FileHash": sound.key,
            "FileId": sound.key,
            "UrlList": {"BackupUrl": backup, "FallbackUrl": fallback, "MainUrl": main},
        }

    def _image_post(self, story: FakeStory) -> dict[str, Any]:
        now, life = self._state.now(), self._state.media_life_s

        def image(file: MediaObject, size: tuple[int, int]) -> dict[str, Any]:
            return {
                "imageHeight": size[1],
                "imageURL": {"urlList": cdn.picture_urls(file, now, life)},
                "imageWidth": size[0],
            }

        cover = image(*story.pictures[0])
        return {
            "cover": cover,
            "images": [image(file, size) for file, size in story.pictures],
            "shareCover": cover,
            "title": story.caption,
        }


def stats(account: Account, *, text: bool) -> dict[str, Any]:
    counts = {
        "diggCount": 0,
        "followerCount": 122222,
        "followingCount": 122,
        "friendCount": 12,
        "heart": 1222222,
        "heartCount": 1222222,
        "videoCount": len(account.posts),
    }
    return {name: str(count) if text else count for name, count in counts.items()}


def _merged(base: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """base with more laid over it; None removes a field."""
    for name, value in more.items():
        if value is None:
            base.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(base.get(name), dict):
            base[name] = _merged(base[name], value)
        else:
            base[name] = value
    return base

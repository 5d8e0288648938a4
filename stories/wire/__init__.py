"""Parsing of TikTok's JSON and HTML into the structures of stories/structures.py.

The only place that knows TikTok's field names. Everything here is pure and takes whole bodies as
bytes, already bounded in size by the transport. Whatever the bytes are, only a StoriesError comes
out. docs/protocol.md dates every shape.
"""

from stories.wire.accounts import embed_author, profile_author
from stories.wire.addresses import MAX_MIRRORS
from stories.wire.items import MAX_CAPTION, embed_item, page_item
from stories.wire.lists import StoryPage, empty_list_error, left_out_error, story_page
from stories.wire.media import MAX_RENDITIONS

__all__ = [
    "MAX_CAPTION",
    "MAX_MIRRORS",
    "MAX_RENDITIONS",
    "StoryPage",
    "embed_author",
    "embed_item",
    "empty_list_error",
    "left_out_error",
    "page_item",
    "profile_author",
    "story_page",
]

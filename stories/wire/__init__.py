"""Parsing of TikTok's JSON and HTML into the structures of stories/structures.py.

The only place that knows TikTok's field names. Everything here is pure and takes whole bodies as
bytes, already bounded in size by the transport. Whatever the bytes are, only a StoriesError comes
out. docs/protocol.md dates every shape.
"""

from stories.wire.accounts import embed_author, oembed_author_name, profile_author
from stories.wire.addresses import MAX_MIRRORS
from stories.wire.items import (
    MAX_CAPTION,
    ItemClue,
    embed_clue,
    embed_item,
    page_clue,
    page_item,
    printed_item,
)
from stories.wire.lists import (
    StoryPage,
    empty_list_error,
    kept_items,
    left_out_error,
    printed_items,
    story_page,
)
from stories.wire.media import MAX_RENDITIONS

__all__ = [
    "MAX_CAPTION",
    "MAX_MIRRORS",
    "MAX_RENDITIONS",
    "ItemClue",
    "StoryPage",
    "embed_author",
    "embed_clue",
    "embed_item",
    "empty_list_error",
    "kept_items",
    "left_out_error",
    "oembed_author_name",
    "page_clue",
    "page_item",
    "printed_item",
    "printed_items",
    "profile_author",
    "story_page",
]

"""The address of an author's saved picture, made without the URL resolver for each line."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from uuid import UUID

from django.urls import get_script_prefix, reverse

_ANY: Final = UUID(int=0)


def avatar_address(item_id: UUID, digest: str | None) -> str:
    """The address of the picture of a line's author; "" when it has none.

    digest: of the picture, None without one. It is part of the address, so that a new picture is
    another address, however long a browser keeps the old one.
    """
    if not digest:
        return ""
    before, after = _around_id(get_script_prefix())
    return f"{before}{item_id}{after}?{digest}"


@lru_cache(maxsize=8)
def _around_id(prefix: str) -> tuple[str, str]:
    """What stands before and after the line's id. prefix: where the site lies on its host."""
    before, _, after = reverse("avatar", args=[_ANY]).partition(str(_ANY))
    return before, after

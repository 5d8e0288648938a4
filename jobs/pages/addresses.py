"""Addresses that a page repeats hundreds of times, made without the URL resolver."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import quote
from uuid import UUID

from django.urls import get_script_prefix, reverse

from jobs.queries.job_view import FileView

_ANY: Final = UUID(int=0)
_SAFE: Final = "!$&'()*+,;=~:@"
"""Characters that `reverse` leaves as they are in a path, without the slash."""


def file_address(file: FileView) -> str:
    """The address of a file: what `{% url 'file' file.id file.name %}` makes."""
    return f"{_files(get_script_prefix())}{file.id}/{quote(file.name, safe=_SAFE)}"


@lru_cache(maxsize=8)
def _files(prefix: str) -> str:
    """The beginning of all addresses of files. prefix: where the site lies on its host."""
    address = reverse("file", args=[_ANY, "x"])
    return address.partition(str(_ANY))[0]

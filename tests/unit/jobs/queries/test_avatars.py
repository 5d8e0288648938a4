"""Addresses of pictures, made without the URL resolver."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from django.urls import get_script_prefix, reverse, set_script_prefix

from jobs.queries.avatars import avatar_address


@pytest.fixture(params=["/", "/stories/"])
def _prefix(request: pytest.FixtureRequest) -> Iterator[None]:
    before = get_script_prefix()
    set_script_prefix(request.param)
    yield
    set_script_prefix(before)


@pytest.mark.usefixtures("_prefix")
def test_it_is_what_the_resolver_makes() -> None:
    item_id = uuid.uuid4()
    assert avatar_address(item_id, "d1") == f"{reverse('avatar', args=[item_id])}?d1"
    assert avatar_address(item_id, None) == ""

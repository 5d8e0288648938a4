"""Addresses of files, made quickly."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.urls import reverse, set_script_prefix

from jobs.pages.addresses import file_address
from jobs.queries.snapshot import load_snapshot
from tests.factories import make_artifact

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("prefix", ["/", "/keep/"])
@pytest.mark.parametrize(
    "name", ["corner.bakery_2026-11-20_1403_01.jpg", "ä ö.mp4", "100%.jpg", "a+b&c;d='e'.png", "?#"]
)
def test_a_files_address_is_the_one_the_resolver_makes(prefix: str, name: str) -> None:
    artifact = make_artifact()
    snapshot = load_snapshot(artifact.job_id, artifact.owner)
    assert snapshot
    file = replace(snapshot.stories[0].files[0], name=name)
    set_script_prefix(prefix)
    try:
        assert file_address(file) == reverse("file", args=[file.id, name])
        assert file_address(file).startswith(prefix)
    finally:
        set_script_prefix("/")

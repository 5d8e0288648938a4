"""The application below a sub-path, behind proxies that strip the prefix and ones that do not."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import is_valid_path

from webapp.wsgi import mounted

ID = "0193b3f0-0000-7000-8000-000000000000"


def arriving(prefix: str, path: str) -> str:
    """The path the application sees."""
    seen: list[str] = []

    def inner(environ: dict[str, Any], _start: Any) -> list[bytes]:
        seen.append(environ["PATH_INFO"])
        return []

    mounted(prefix, inner, lambda address: bool(is_valid_path(address)))({"PATH_INFO": path}, None)
    return seen[0]


@pytest.mark.parametrize("prefix", ["/keep", "/stories", "/jobs", "/files", "/api", "/my/stories"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/login/",
        "/history",
        f"/jobs/{ID}/",
        f"/stories/{ID}/clean/",
        f"/stories/{ID}/again/",
        f"/files/{ID}/nora.jpg",
        "/api/v1/jobs",
        "/static/base.css",
        "/health/live",
        "/nope/",
    ],
)
def test_a_path_is_the_same_with_the_prefix_and_without(prefix: str, path: str) -> None:
    assert arriving(prefix, prefix + path) == path
    assert arriving(prefix, path) == path


def test_the_prefix_alone_is_the_start() -> None:
    assert arriving("/keep", "/keep") == "/"
    assert arriving("/keep", "/keepsake/") == "/keepsake/"

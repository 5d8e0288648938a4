"""Saved files that are two things at once, as a browser is served them."""

from __future__ import annotations

from pathlib import PurePath

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory

from jobs.files import serving
from jobs.models import Role
from tests.attack.polyglots import HYBRIDS, PAGE, hybrids
from tests.factories import make_artifact

pytestmark = pytest.mark.django_db


def served(content: bytes, content_type: str, name: str, *, inline: bool) -> dict[str, str]:
    """The headers of an answer with a file, whose bytes are those that were saved."""
    file = make_artifact(content=content, name=name, content_type=content_type, role=Role.MEDIA)
    owner = User.objects.get(pk=file.owner_id)
    request = RequestFactory().get("/x", headers={"Accept": "text/html"})
    response = serving.file_response(request, owner, file.pk, inline=inline)
    body = b"".join(response)
    response.close()
    assert body == content
    return dict(response.headers)


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("name", HYBRIDS)
def test_a_browser_is_told_one_type_and_may_not_guess(name: str, inline: bool) -> None:
    _, content_type, data = hybrids()[name]
    headers = served(data, content_type, "story.jpg", inline=inline)
    assert headers["Content-Type"] == content_type
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"].startswith("inline" if inline else "attachment")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "script-src" not in policy
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "content_type",
    ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "application/pdf",
     "image/svg", "image/jpeg; charset=utf-7", ""],
)  # fmt: skip
@pytest.mark.parametrize("name", ["page.html", "x.svg", "a.jpg.html"])
def test_what_may_not_be_shown_is_only_ever_saved(content_type: str, name: str) -> None:
    """No such row is written; should there be one, it is handed out and not opened."""
    headers = served(PAGE, content_type, name, inline=True)
    assert headers["Content-Disposition"].startswith("attachment")
    assert PurePath(name).name in headers["Content-Disposition"]
    assert headers["X-Content-Type-Options"] == "nosniff"

"""What tests of the API need: a script with a token, a full job, the error in a response."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from accounts import tokens
from jobs.models import Job, Role
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

S = ItemState


class Script:
    """A script with a token; `call("GET", "/jobs")`."""

    def __init__(self, user: User, client: Client) -> None:
        self.user = user
        self.client = client
        self.token = tokens.create(user, "test")
        tokens.authenticate(self.token)  # the first use is noted now, not in the counted queries

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes | str) else json.dumps(body) if body else b""
        return self.client.generic(
            method,
            f"/api/v1{path}",
            content,
            "application/json",
            headers={"Authorization": f"Bearer {self.token}"} | named,
        )


def error_of(response: Any, status: int) -> dict[str, Any]:
    """The error in a response of that status; checks its shape."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/json"
    found = response.json()
    assert set(found) == {"error"}
    error: dict[str, Any] = found["error"]
    assert list(error) == ["code", "message", "hint", "retryable", "retry_after_s"]
    assert error["message"]
    return error


def make_full_job(owner: User | None = None) -> Job:
    job = make_job(owner or make_user("alice"), note="why")
    item = make_item(
        job, state=S.DONE, author_id="1", author_name="ann", author_nickname="Ann", name="ann"
    )
    story = make_story(item, caption="hi 🎉", media_count=2, kind="carousel")
    make_artifact(story, content=b"first", labels=["watermarked"], width=1080, height=1920)
    make_artifact(story, content=b"second")
    make_artifact(story, content=b"poster", role=Role.POSTER, position=1)
    make_artifact(story, content=b"zip", role=Role.ZIP, position=0, content_type="application/zip")
    return job

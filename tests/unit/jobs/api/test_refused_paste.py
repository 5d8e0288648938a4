"""A paste in which no line can be saved: 422 and a verdict for each line, as on the page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from jobs.models import Job
from tests.factories import make_user
from tests.unit.jobs.api.scripts import Script

pytestmark = pytest.mark.django_db

TAG = "https://www.tiktok.com/tag/cats"
NOT_UNDERSTOOD, UNSUPPORTED = "not_understood", "unsupported_link"


@pytest.fixture
def script(client: Client) -> Script:
    return Script(make_user("alice"), client)


@pytest.mark.parametrize(
    ("body", "code", "message", "verdicts"),
    [
        pytest.param(
            {"lines": [TAG]},
            UNSUPPORTED,
            "lines: This line cannot be saved.",
            [(TAG, UNSUPPORTED)],
            id="one link that leads elsewhere",
        ),
        pytest.param(
            {"text": "???"},
            NOT_UNDERSTOOD,
            "text: There is no name and no link in that.",
            [("???", NOT_UNDERSTOOD)],
            id="one line that names nothing",
        ),
        pytest.param(
            {"lines": ["???", TAG]},
            NOT_UNDERSTOOD,
            "lines: None of these lines can be saved.",
            [("???", NOT_UNDERSTOOD), (TAG, UNSUPPORTED)],
            id="several, for different reasons",
        ),
    ],
)
def test_no_job_is_made_and_each_line_has_its_verdict(
    script: Script, body: Any, code: str, message: str, verdicts: list[tuple[str, str]]
) -> None:
    response = script.call("POST", "/jobs", body)
    assert response.status_code == 422
    answer = response.json()
    assert set(answer) == {"error", "lines"}
    assert (answer["error"]["code"], answer["error"]["message"]) == (code, message)
    assert [(line["line"], line["error"]["code"]) for line in answer["lines"]] == verdicts
    assert all(set(line["error"]) == set(answer["error"]) for line in answer["lines"])
    assert not any(line["error"]["retryable"] for line in answer["lines"])
    assert not Job.objects.exists()


def test_the_page_says_the_same_of_the_same_lines(script: Script, client: Client) -> None:
    answer = script.call("POST", "/jobs", {"lines": ["???", TAG]}).json()
    client.force_login(script.user)
    response = client.post("/", {"text": f"???\n{TAG}"})
    page = response.content.decode()
    assert response.status_code == 422
    assert answer["error"]["message"].removeprefix("lines: ") in page
    for line in answer["lines"]:
        assert escape(line["error"]["hint"]) in page


def test_one_line_that_is_understood_is_enough(script: Script) -> None:
    response = script.call("POST", "/jobs", {"lines": ["???", "@nora"]})
    assert response.status_code == 202
    assert [item["state"] for item in response.json()["items"]] == ["failed", "queued"]


def test_what_is_no_error_of_the_lines_has_no_lines(script: Script) -> None:
    bodies: list[Any] = [{"lines": []}, {"text": " \n"}, {"lines": ["@a"], "text": "@a"}]
    for body in bodies:
        assert set(script.call("POST", "/jobs", body).json()) == {"error"}


def test_the_answer_does_not_outgrow_a_job(script: Script, set_env: Any) -> None:
    set_env(batch_max=3)
    answer = script.call("POST", "/jobs", {"lines": [f"?{number}" for number in range(99)]}).json()
    assert [line["line"] for line in answer["lines"]] == ["?0", "?1", "?2"]


def test_a_key_that_made_no_job_is_still_free(script: Script) -> None:
    key = {"Idempotency_Key": "k"}
    assert script.call("POST", "/jobs", {"lines": ["???"]}, **key).status_code == 422
    assert script.call("POST", "/jobs", {"lines": ["@nora"]}, **key).status_code == 202

"""What the responses of several pages share: nobody keeps them, and errors in words."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.utils import translation

from jobs.errors import BY_CODE, BatchTooLong, Internal, QuotaExceeded
from jobs.pages.responses import error_words, uncached
from stories.errors import StoriesError


def test_a_personal_page_is_kept_by_nobody() -> None:
    response = HttpResponse("alice", status=404)
    assert uncached(response) is response
    assert response.headers["Cache-Control"] == "private, no-store"
    assert (response.status_code, response.content) == (404, b"alice")


def test_what_was_said_about_keeping_before_no_longer_holds() -> None:
    response = HttpResponse(headers={"Cache-Control": "public, max-age=3600"})
    assert uncached(response).headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("cls", BY_CODE.values(), ids=lambda cls: cls.code)
def test_every_error_has_a_message_and_its_code(cls: type[StoriesError]) -> None:
    words = error_words(cls())
    assert set(words) == {"message", "hint", "code"}
    assert words["code"] == cls.code
    assert words["message"]


def test_an_error_speaks_the_readers_language() -> None:
    with translation.override("de"):
        words = error_words(QuotaExceeded())
    assert words["message"] == "Du hast deine Grenze erreicht."
    assert words["hint"].startswith("Warte, bis ")
    assert words["code"] == "quota_exceeded"


def test_an_error_at_hand_says_what_its_code_alone_does_not() -> None:
    limit = error_words(QuotaExceeded(said="20 lines a day.", hint_said="Come back tomorrow."))
    assert (limit["message"], limit["hint"]) == ("20 lines a day.", "Come back tomorrow.")
    long = error_words(BatchTooLong(501, 500))
    assert long["message"] != error_words(BatchTooLong())["message"]
    assert "501" in long["message"]
    assert "500" in long["message"]


def test_the_detail_of_an_error_is_not_for_the_reader() -> None:
    words = error_words(Internal("<b>secret</b> /srv/storykeep"))
    assert "secret" not in "".join(words.values())

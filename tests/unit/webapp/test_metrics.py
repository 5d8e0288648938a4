"""`/metrics`: who may see it, and how it is read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from pydantic import SecretStr

from jobs.ops import measures
from tests.factories import make_item, make_user
from tests.memory import redis_stays_away
from webapp import instance_facts
from webapp.instance_facts import Kept

ROOT = Path(__file__).parents[3]
TOKEN = "correct-horse-battery"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance_facts, "kept", Kept())


@pytest.fixture
def scrape(set_env: Callable[..., None]) -> Callable[..., Any]:
    set_env(metrics_token=SecretStr(TOKEN), public_url="https://stories.example.org")
    redis_stays_away()
    client = Client()

    def ask(authorization: str = f"Bearer {TOKEN}", **headers: str) -> Any:
        return client.get("/metrics", headers={"authorization": authorization, **headers})

    return ask


def test_without_a_token_set_there_is_no_such_page(client: Client) -> None:
    answer = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 404
    client.force_login(make_user("root", is_superuser=True, is_staff=True))
    assert client.get("/metrics").status_code == 404


def test_a_token_may_hold_any_letter(
    scrape: Callable[..., Any], set_env: Callable[..., None]
) -> None:
    token = "schl\u00fcssel-und-schlo\u00df"
    set_env(metrics_token=SecretStr(token))
    assert scrape(f"Bearer {token.encode().decode('latin-1')}").status_code == 200
    assert scrape(f"Bearer {token}").status_code == 401


def test_it_opens_to_its_token_alone(scrape: Callable[..., Any]) -> None:
    answer = scrape()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "no-store" in answer.headers["Cache-Control"]
    assert not answer.cookies
    assert scrape(f"bearer  {TOKEN}").status_code == 200
    for wrong in ("", "Bearer", f"Basic {TOKEN}", "Bearer wrong", f"Bearer {TOKEN}\u00e9", TOKEN):
        answer = scrape(wrong)
        assert answer.status_code == 401, wrong
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert b"storykeep_" not in answer.content


def test_an_admins_session_does_not_open_it(scrape: Callable[..., Any]) -> None:
    client = Client()
    client.force_login(make_user("root", is_superuser=True, is_staff=True))
    assert client.get("/metrics").status_code == 401


def test_who_guesses_is_shut_out_for_a_while_and_keeps_out_nobody_else(
    scrape: Callable[..., Any],
) -> None:
    for number in range(10):
        assert scrape(f"Bearer guess-{number}").status_code == 401
    answer = scrape("Bearer guess-11")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"
    assert scrape().status_code == 200, "the token is right, whoever else is at this address"


def test_the_right_token_is_never_shut_out(scrape: Callable[..., Any]) -> None:
    assert {scrape().status_code for _ in range(15)} == {200}


def test_a_scraper_may_come_by_any_host_name(scrape: Callable[..., Any]) -> None:
    assert scrape(host="web:8000").status_code == 200


def test_nothing_is_sent_there(scrape: Callable[..., Any]) -> None:
    client = Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {TOKEN}"})
    answer = client.post("/metrics")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert client.head("/metrics").status_code == 200


def test_a_scrape_within_seconds_reads_nothing_anew(scrape: Callable[..., Any]) -> None:
    assert b'storykeep_lines{code="",state="queued"}' not in scrape().content
    make_item()
    assert b'storykeep_lines{code="",state="queued"}' not in scrape().content
    instance_facts.kept._read_at = float("-inf")
    assert b'storykeep_lines{code="",state="queued"} 1.0' in scrape().content


def test_a_part_that_does_not_answer_is_told_and_the_rest_goes_on(
    scrape: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("password of someone at db.example is wrong")

    monkeypatch.setattr(measures, "work", away)
    text = scrape().content.decode()
    assert 'storykeep_up{part="database"} 0.0' in text
    assert 'storykeep_up{part="disk"} 1.0' in text
    assert 'storykeep_up{part="redis"} 0.0' in text
    assert "storykeep_queue_due_lines" not in text
    assert "db.example" not in text


def test_without_a_token_the_library_is_not_imported() -> None:
    """Nor what speaks its language, in a web process with every view loaded."""
    loads = (
        "import tests.settings, django, sys; django.setup();"
        "from django.test import Client;"
        "Client().get('/health/live');"
        "print(*sorted({'prometheus_client', 'webapp.exposition'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", loads],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []

"""The diagnosis page: what it has the command look at, and what it shows of the report."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from jobs.admin import views

pytestmark = pytest.mark.django_db
DIAGNOSIS = "/admin/diagnosis/"


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


REPORT = {
    "ok": False,
    "text": "Storykeep 0.1.0\nfail  redis",
    "findings": [
        {
            "part": "redis",
            "title": "Redis",
            "verdict": "fail",
            "judged": "failed",
            "said": "does not answer",
            "hint": "<b>",
        },
    ],
}


class Process:
    """Stands in for the command. answer: stdout, exit code."""

    def __init__(self) -> None:
        self.argv: list[str] = []
        self.answer: tuple[str, int] | Exception = (json.dumps(REPORT), 1)

    def run(self, argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.argv = argv
        if isinstance(self.answer, Exception):
            raise self.answer
        return subprocess.CompletedProcess(argv, self.answer[1], self.answer[0], "")


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    stand_in = Process()
    monkeypatch.setattr(subprocess, "run", stand_in.run)
    return stand_in


def test_the_diagnosis_page(browser: Client, process: Process) -> None:
    assert "Look now" in text(browser, DIAGNOSIS)
    assert process.argv == []
    page = browser.post(DIAGNOSIS, {"name": " --help\0 "}).content.decode()
    assert process.argv[2:] == ["diagnose", "--json", "--language", "en", "--", "--help"]
    assert "Something failed" in page
    assert 'value="--help"' in page
    assert "&lt;b&gt;" in page
    assert "fail  redis" in page
    assert 'data-copy="text"' in page
    assert "/static/copy.js" in page
    browser.cookies["django_language"] = "de"
    with translation.override("en"):  # a request leaves its language behind
        browser.post(DIAGNOSIS, {})
    assert process.argv[2:] == ["diagnose", "--json", "--language", "de"]


def test_the_diagnosis_page_by_another_way(browser: Client, process: Process) -> None:
    page = text(browser, f"{DIAGNOSIS}?way=browser")
    assert '<option value="browser" selected>' in page
    page = browser.post(DIAGNOSIS, {"name": "@x", "way": "browser"}).content.decode()
    assert process.argv[6:] == ["--way", "browser", "--", "@x"]
    assert '<option value="browser" selected>' in page
    browser.post(DIAGNOSIS, {"name": "@x", "way": "direct"})
    assert process.argv[6:] == ["--", "@x"]
    browser.post(DIAGNOSIS, {"name": "@x", "way": "--help"})
    assert process.argv[6:] == ["--", "@x"]
    process.argv = []
    page = browser.post(DIAGNOSIS, {"name": " ", "way": "browser"}).content.decode()
    assert "Name an account" in page
    assert process.argv == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (("", 2), "That names no account."),
        (("Traceback", 1), "did not run"),
        (subprocess.TimeoutExpired("x", 1), "took too long"),
    ],
)
def test_a_diagnosis_that_does_not_come(
    browser: Client, process: Process, answer: Any, said: str
) -> None:
    process.answer = answer
    page = browser.post(DIAGNOSIS, {"name": "x"}).content.decode()
    assert said in page
    assert "Traceback" not in page


@pytest.mark.usefixtures("process")
def test_one_diagnosis_at_a_time(browser: Client) -> None:
    with views._diagnosis_lock:
        assert "running already" in browser.post(DIAGNOSIS, {}).content.decode()
    assert "running already" not in browser.post(DIAGNOSIS, {}).content.decode()


SAMPLE = {"made_by": "Storykeep", "account": "user1", "answers": [{"endpoint": "profile"}]}


def test_a_sample_is_recorded_on_its_button(browser: Client, process: Process) -> None:
    assert "Record a sample" not in browser.post(DIAGNOSIS, {}).content.decode()
    assert "Record a sample" in browser.post(DIAGNOSIS, {"name": "@alice"}).content.decode()
    process.answer = (json.dumps(SAMPLE), 1)
    answer = browser.post(DIAGNOSIS, {"name": "@alice", "record": "1"})
    assert process.argv[2:] == ["diagnose", "--record", "-", "--", "@alice"]
    assert answer.json() == SAMPLE
    assert answer.headers["Content-Type"] == "application/json"
    disposition = answer.headers["Content-Disposition"]
    assert disposition == 'attachment; filename="tiktok-sample.json"'


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (("", 2), "That names no account."),
        (("", 1), "TikTok sent nothing that could be recorded."),
        (subprocess.TimeoutExpired("x", 1), "took too long"),
    ],
)
def test_a_sample_that_does_not_come(
    browser: Client, process: Process, answer: Any, said: str
) -> None:
    process.answer = answer
    page = browser.post(DIAGNOSIS, {"name": "x", "record": "1"}).content.decode()
    assert said in page

"""The browser and the script of a benchmark ask as real ones do, and count what comes."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from benchmarks.clients import Browser, Script, Tally
from jobs.states import ItemState
from tests.factories import make_job

STATIC = Path(__file__).parents[3] / "webapp" / "static"


class Server(HTTPServer):
    """Answers each request with the next of `answers`: status, headers, body."""

    answers: list[tuple[int, dict[str, str], bytes]]
    requests: list[tuple[str, dict[str, str]]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers.items())))
        status, headers, body = self.server.answers.pop(0)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as listening:
        listening.answers, listening.requests = [], []
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def _page(settled: bool = False) -> bytes:
    words = ' data-etag="&quot;1&quot;"' + (" data-settled" if settled else "")
    return f'<div id="job" data-fragment="/progress/?show=done&amp;x=1"{words}></div>'.encode()


def test_the_browser_polls_what_the_page_says_until_it_is_settled(server: Server) -> None:
    server.answers = [
        (200, {}, _page()),
        (304, {}, b""),
        (200, {"ETag": '"2"'}, _page(settled=True)),
    ]
    with Browser(server.server_port, "session") as browser:
        browser.open("an-id")
        unchanged, settled_before = browser.poll(), browser.settled
        browser.poll()
        assert (unchanged.status, settled_before, browser.settled) == (304, False, True)
    paths = [path for path, _ in server.requests]
    assert paths == ["/jobs/an-id/", *["/progress/?show=done&x=1"] * 2]
    assert server.requests[1][1]["If-None-Match"] == '"1"'
    assert browser.tag == '"2"'


def test_bytes_are_counted_as_they_cross_the_wire(server: Server) -> None:
    packed = gzip.compress(_page() + b" " * 50_000)
    server.answers = [(200, {"Content-Encoding": "gzip"}, packed)]
    with Browser(server.server_port, "session") as browser:
        answer = browser.open("an-id")
    assert len(answer.body) > 50_000
    assert len(packed) < answer.wire_bytes < len(packed) + 500


def test_the_script_asks_with_its_last_tag_until_the_job_is_settled(server: Server) -> None:
    server.answers = [(200, {"ETag": '"a"'}, json.dumps({"settled_at": "now"}).encode())]
    tally = Tally()
    with Script(server.server_port, "sk_token") as script:
        script.watch("an-id", tally, threading.Event())
        assert tally.polls == {200: 1}
        server.answers = [(304, {}, b"")]
        script.poll("an-id")
    assert server.requests[-1][1]["If-None-Match"] == script.tag == '"a"'


def test_an_answer_that_is_no_answer_ends_the_measurement(server: Server) -> None:
    server.answers = [(500, {}, b"")]
    with Script(server.server_port, "sk_token") as script, pytest.raises(RuntimeError, match="500"):
        script.poll("an-id")


def test_the_rhythm_is_the_pages() -> None:
    script = (STATIC / "progress.js").read_text()
    found = re.search(r"const FAST_MS = (\d+);", script)
    assert found
    fast_s = int(found[1]) / 1000
    assert [Browser.pause_s(age_s) for age_s in (0, 100, 200)] == [fast_s, 2 * fast_s, 5 * fast_s]


@pytest.mark.django_db
def test_the_real_page_says_what_the_browser_reads(client: Client, server: Server) -> None:
    job = make_job(links=1, state=ItemState.QUEUED)
    client.force_login(job.owner)
    server.answers = [(200, {}, client.get(f"/jobs/{job.pk}/").content), (304, {}, b"")]
    with Browser(server.server_port, "session") as browser:
        browser.open(job.pk)
        browser.poll()
        assert not browser.settled
    path, headers = server.requests[-1]
    assert client.get(path, headers={"If-None-Match": headers["If-None-Match"]}).status_code == 304

"""Two web servers of one instance: what is counted against guessing is counted once."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User

from accounts import tokens
from jobs.ephemeral import progress
from jobs.models import Job
from jobs.states import ItemState
from tests.factories import make_item, make_job, make_user
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import ROOT, RedisServer, eventually, worker_environment
from tests.unit.accounts.browsing import SECRET, totp_code

pytestmark = pytest.mark.xdist_group("webs")

SERVE = """
import sys
from django.conf import settings
from webapp import web
settings.STORAGES["staticfiles"]["BACKEND"] = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
)
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
settings.WHITENOISE_AUTOREFRESH = settings.WHITENOISE_USE_FINDERS = True
sys.exit(web.main())
"""
"""A web server with the hashes of the tests, whose pages do without collected static files."""
API_RATE = 20


class Web:
    """A web server, and what a stranger sends it: raw heads, for no client would send them so.

    visitor: the address its visitors come from.
    """

    visitor = "127.0.0.1"

    def __init__(self, log: Path, proxy: FakeProxy) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        environment = worker_environment(
            proxy, STORYKEEP_API_RATE=str(API_RATE), DJANGO_SETTINGS_MODULE="webapp.settings"
        )
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVE, "--port", str(self.port)],
                cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def send(
        self,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        form: dict[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        """The answer, read."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=30, source_address=(self.visitor, 0)
        )
        body = urlencode(form).encode() if form is not None else b""
        connection.putrequest(method, path, skip_host=any(name == "Host" for name, _ in headers))
        for name, value in headers:
            connection.putheader(name, value)
        connection.putheader("Content-Type", "application/x-www-form-urlencoded")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def answers(self) -> bool:
        """Whether it has begun to."""
        try:
            return self.send("GET", "/health/live", []).status == 200
        except (OSError, http.client.HTTPException):  # before it listens, one may meet oneself
            return False


@pytest.fixture(scope="module")
def webs(
    django_db_setup: None,
    _server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
    proxy: FakeProxy,
) -> Iterator[list[Web]]:
    """Two web servers that answer, for all tests here."""
    folder = tmp_path_factory.mktemp("webs")
    servers = [Web(folder / f"web{number}.log", proxy) for number in range(2)]
    try:
        for server in servers:
            eventually(server.answers, within=120)
        yield servers
    finally:
        for server in servers:
            server.process.terminate()
        for server in servers:
            server.process.wait(30)


ADDRESSES = (f"127.0.1.{number}" for number in itertools.count(1))


@pytest.fixture(autouse=True)
def _another_visitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is somebody else: what an address used up, servers know without Redis as well."""
    monkeypatch.setattr(Web, "visitor", next(ADDRESSES))


FORGED = itertools.cycle(
    [
        [("X-Forwarded-For", "198.51.100.{n}")],
        [("X-Forwarded-For", "198.51.100.{n}, 10.0.0.{n}")],
        [("X-Forwarded-For", "198.51.100.{n}"), ("X-Forwarded-For", "127.0.0.1")],
        [("Forwarded", "for=198.51.100.{n};host=h{n}.example;proto=https")],
        [("X-Real-IP", "198.51.100.{n}"), ("X-Client-IP", "198.51.100.{n}")],
        [("X_Forwarded_For", "198.51.100.{n}"), ("X-Forwarded-Proto", "https")],
        [("Host", "h{n}.example"), ("X-Forwarded-Host", "h{n}.example")],
    ]
)
"""Heads that say, each time, that somebody else asks for something else."""


def sign_in(web: Web, name: str, password: str, number: int, cookie: str = "") -> str:
    """Send the form with a forged head; the session's cookie, "" when nobody was signed in."""
    token = "t" * 32
    headers = [(key, value.format(n=number)) for key, value in next(FORGED)]
    headers = [("Cookie", f"csrftoken={token}{cookie}"), *headers]
    form = {"login": name, "password": password, "csrfmiddlewaretoken": token}
    answer = web.send("POST", "/login/", headers, form)
    assert answer.status in {200, 302, 429}
    cookies = answer.headers.get_all("Set-Cookie") or []
    found = re.search(r"sessionid=(\w+)", " ".join(cookies))
    return found[1] if found and answer.status == 302 else ""


def test_wrong_passwords_at_one_server_count_at_the_other(
    webs: list[Web], redis_server: RedisServer
) -> None:
    make_user("alice")
    make_user("bob")
    for number in range(5):
        assert not sign_in(webs[number % 2], "alice", "wrong", number)
    assert not sign_in(webs[0], "alice", "alicealice", 50)
    assert not sign_in(webs[1], "alice", "alicealice", 51)
    assert sign_in(webs[1], "bob", "bobbob", 52)
    with redis_server.client() as client:
        lives_s = [client.ttl(key) for key in client.scan_iter("storykeep:attempts:*")]
    assert lives_s
    assert all(0 < life_s <= 300 for life_s in lives_s)


def test_wrong_codes_at_one_server_count_at_the_other(webs: list[Web]) -> None:
    TOTP.activate(make_user("alice"), SECRET)
    session = sign_in(webs[0], "alice", "alicealice", 1)

    def send_code(web: Web, code: str) -> str:
        form = {"code": code, "csrfmiddlewaretoken": "t" * 32}
        head = [("Cookie", f"csrftoken={'t' * 32}; sessionid={session}")]
        answer = web.send("POST", "/account/security/authenticate/", head, form)
        return answer.headers.get("Location") or ""

    for number in range(5):
        assert send_code(webs[number % 2], f"00000{number}") == ""
    for web in webs:
        assert send_code(web, totp_code(SECRET)) == ""
    assert User.objects.get().last_login is None


def test_a_token_has_one_limit_at_both(webs: list[Web], redis_server: RedisServer) -> None:
    token = tokens.create(make_user("alice"), "script")

    def ask(number: int) -> int:
        head = [("Authorization", f"Bearer {token}")]
        head += [(key, value.format(n=number)) for key, value in next(FORGED)]
        return webs[number % 2].send("GET", "/api/v1/me", head).status

    statuses = [ask(number) for number in range(API_RATE + 10)]
    assert statuses == [200] * API_RATE + [429] * 10
    (key,) = redis_server.client().scan_iter("storykeep:api-rate:*")
    assert redis_server.client().ttl(key) in range(1, 61)


@pytest.mark.parametrize("garbage", ["nonsense", "-5", "nan", "1e99", ["a", "list"]])
def test_a_count_that_is_none_of_ours_stands_in_nobodys_way(
    webs: list[Web], redis_server: RedisServer, garbage: str | list[str]
) -> None:
    token = tokens.create(make_user("alice"), "script")
    row = tokens.authenticate(token)
    assert row
    key = f"storykeep:api-rate:{row.pk}"
    with redis_server.client() as client:
        if isinstance(garbage, list):
            client.rpush(key, *garbage)
        else:
            client.set(key, garbage)
        head = [("Authorization", f"Bearer {token}")]
        assert webs[0].send("GET", "/api/v1/me", head).status == 200
        assert client.get(key) == "1"
        assert client.ttl(key) in range(1, 61)


def test_without_redis_each_server_counts_by_itself_and_lets_people_in(
    webs: list[Web], redis_server: RedisServer
) -> None:
    make_user("alice")
    make_user("bob")
    redis_server.stop()
    try:
        for number in range(5):
            assert not sign_in(webs[0], "alice", "wrong", number)
        assert not sign_in(webs[0], "alice", "alicealice", 50)
        assert sign_in(webs[0], "bob", "bobbob", 51)
        assert sign_in(webs[1], "alice", "alicealice", 52)
    finally:
        redis_server.start()


# --- who is sent to the one, then to the other ----------------------------------------------------


class Visitor:
    """A browser that meets the servers by turns, whatever it does."""

    def __init__(self, webs: list[Web]) -> None:
        self._webs = itertools.cycle(webs)
        self.cookies: dict[str, str] = {}

    def ask(
        self,
        path: str,
        form: dict[str, str] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[http.client.HTTPResponse, str]:
        """The answer of the server whose turn it is, and its text. A form is sent by POST."""
        web = next(self._webs)
        connection = http.client.HTTPConnection(
            "127.0.0.1", web.port, timeout=60, source_address=(web.visitor, 0)
        )
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if form is not None:
            body = urlencode(form)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("GET" if form is None else "POST", path, body, {**sent, **headers})
        answer = connection.getresponse()
        text = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        connection.close()
        return answer, text

    def send_form(self, at: str, path: str, **form: str) -> http.client.HTTPResponse:
        """Open a page at one server and send a form of it to the other one."""
        _, page = self.ask(at)
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert found, page
        answer, _ = self.ask(path, form | {"csrfmiddlewaretoken": found[1]})
        return answer


@pytest.fixture
def signed_in(webs: list[Web]) -> Visitor:
    """Alice, who opened the sign-in page at one server and sent it to the other."""
    make_user("alice")
    visitor = Visitor(webs)
    answer = visitor.send_form("/login/", "/login/", login="alice", password="alicealice")
    assert (answer.status, answer.headers["Location"]) == (302, "/")
    assert "sessionid" in visitor.cookies
    return visitor


def test_who_signed_in_at_one_is_signed_in_at_both(signed_in: Visitor) -> None:
    assert [signed_in.ask("/history/")[0].status for _ in range(4)] == [200] * 4


def test_language_and_theme_chosen_at_one_are_those_of_both(signed_in: Visitor) -> None:
    assert signed_in.send_form("/account/", "/preferences/", theme="dark").status == 302
    assert signed_in.send_form("/account/", "/preferences/", language="de").status == 302
    for _ in range(2):
        _, page = signed_in.ask("/")
        assert '<html lang="de"' in page
        assert "dark" in page.partition(">")[0] + page.partition("<html")[2].partition(">")[0]


def test_what_one_has_to_say_the_other_one_says_once(signed_in: Visitor) -> None:
    job = make_job(User.objects.get(), links=1, state=ItemState.DONE)
    path = f"/jobs/{job.pk}/"
    answer = signed_in.send_form("/account/", f"{path}cancel/")
    assert answer.status == 302
    signed_in.ask("/health/live")  # the answer of the one, the next page of the other
    said = "Nothing was cancelled: this job had already ended."
    assert [said in signed_in.ask(path)[1] for _ in range(2)] == [True, False]


def test_a_poll_has_the_same_tag_at_both(signed_in: Visitor) -> None:
    item = make_item(make_job(User.objects.get()), state=ItemState.RUNNING)
    progress.Reporter(item.job_id, item.pk)
    path = f"/jobs/{item.job_id}/progress/"
    tags = {signed_in.ask(path)[0].headers["ETag"] for _ in range(4)}
    (tag,) = tags
    assert [signed_in.ask(path, headers={"If-None-Match": tag})[0].status for _ in range(2)] == [
        304
    ] * 2


def test_a_request_sent_to_both_at_once_makes_one_job(webs: list[Web]) -> None:
    token = tokens.create(make_user("alice"), "script")

    def post(web: Web) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
        head = {"Authorization": f"Bearer {token}", "Idempotency-Key": "once"}
        head["Content-Type"] = "application/json"
        connection.request("POST", "/api/v1/jobs", json.dumps({"lines": ["@some.body"]}), head)
        answer = connection.getresponse()
        made = json.loads(answer.read())
        connection.close()
        return answer.status, made.get("id", "")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, webs * 4))
    # Of several at one server those that come too soon are asked to come again.
    assert {status for status, _ in answers} <= {200, 202, 409}
    assert len({job for _, job in answers if job}) == 1
    assert Job.objects.count() == 1

"""What is left of a forgotten job and of a closed account: looked for in every file and every key.

A whole instance runs on a data folder of its own. Words that nobody else uses stand in whatever a
job holds; then the job is forgotten, and each of them is looked for.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis

from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import eventually
from tests.integration.test_up import ROOT, Instance, environment
from tests.integration.test_up import folder as folder
from tests.integration.test_up import up as up

pytestmark = pytest.mark.xdist_group("up")

NAME, NICKNAME = "quizzical.ferret", "Nickolobaster"
CAPTION, NOTE = "Zwiebelkuchenfest", "Notarikonkram"
PERSON, MAIL, TOKEN = "wendeltreppe", "postfach@kuckucksnest.example", "Klapperkiste"
BROWSER = "Flummibrowser/7"
GONE_WITHIN_S = 60.0


class Places:
    """Everywhere an instance keeps something: its data folder, Redis, and what it has printed."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def found(self, *words: str) -> list[str]:
        """`word in place`, for each word and each place it is found in."""
        places = {str(path): path.read_bytes() for path in self._files()}
        places["the log"] = "\n".join(self.instance.lines).encode()
        if self.instance.process.poll() is None:
            places |= dict(self._redis())
        return [
            f"{word} in {place}"
            for place, content in places.items()
            for word in words
            if word.encode() in content or word.encode("utf-16-le") in content
        ]

    def _files(self) -> Iterator[Path]:
        for path in self.instance.folder.rglob("*"):
            if path.is_file():
                yield path

    def _redis(self) -> Iterator[tuple[str, bytes]]:
        """Each key with its value, as the server would write it into a snapshot, and as text."""
        with redis.Redis(unix_socket_path=str(self.instance.folder / "run/redis.sock")) as server:
            for key in server.scan_iter():
                value = server.dump(key) or b""
                kind = server.type(key)
                if kind == b"string":
                    value += server.get(key) or b""
                elif kind == b"hash":
                    value += b" ".join(b for pair in server.hgetall(key).items() for b in pair)
                elif kind == b"list":
                    value += b" ".join(server.lrange(key, 0, -1))
                yield f"Redis, {key.decode()}", key + value


@pytest.fixture
def instance(
    up: Callable[..., Instance], proxy: FakeProxy, tiktok: FakeTikTok
) -> Iterator[Instance]:
    """An instance with an admin, whose TikTok is the fake."""
    running = up(
        STORYKEEP_PROXY=proxy.url,
        STORYKEEP_CA_BUNDLE=proxy.ca_path,
        STORYKEEP_LIST_RATE="0",
        STORYKEEP_ADMIN_USER="root",
        STORYKEEP_ADMIN_PASSWORD="correct horse 42",
        STORYKEEP_LOG_LEVEL="INFO",
    )
    running.wait_for_line(r"ready at")
    with redis.Redis(unix_socket_path=str(running.folder / "run/redis.sock")) as server:
        server.config_set("rdbcompression", "no")  # words are to be found in a snapshot as well
    yield running
    sys.stdout.write("\n".join(running.lines))  # shown when the test failed


def manage(instance: Instance, *words: str, source: str = "") -> str:
    """What a command of this instance prints."""
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment(instance.folder, instance.port),
        input=source,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def api(instance: Instance, user: str, name: str = "script") -> httpx.Client:
    """A client of the API, with a new token of this user."""
    token = re.search(r"\S{30,}", manage(instance, "token", user, "--name", name))
    assert token
    return httpx.Client(
        base_url=f"http://127.0.0.1:{instance.port}/api/v1",
        headers={"Authorization": f"Bearer {token[0]}"},
        timeout=60,
    )


def save_stories(script: httpx.Client) -> dict[str, str]:
    """Save all stories of NAME as one job with a ZIP of it."""
    job = script.post("/jobs?wait=30", json={"lines": [f"@{NAME}"], "note": NOTE}).json()
    assert job["state"] == "done", job
    assert script.post(f"/jobs/{job['id']}/bundle").is_success
    eventually(lambda: script.get(f"/jobs/{job['id']}").json()["bundle"], within=30)
    return dict(job)


def test_nothing_of_a_forgotten_job_is_left(instance: Instance, tiktok: FakeTikTok) -> None:
    author = tiktok.account(NAME, nickname=NICKNAME)
    for number in range(4):
        author.photo(caption=f"{CAPTION} {number} " * 40)
    words = NAME, NICKNAME, CAPTION, NOTE, author.id
    places = Places(instance)
    with api(instance, "root") as script:
        job = save_stories(script)
        found = places.found(*words)
        for word in words:  # else this test would see nothing at all
            assert any(word in place for place in found), found
        assert script.delete(f"/jobs/{job['id']}").is_success
    eventually(lambda: not places.found(*words), within=GONE_WITHIN_S)
    assert instance.stop(signal.SIGTERM) == 0
    assert places.found(*words) == []
    wal = instance.folder / "storykeep.sqlite3-wal"
    assert not wal.exists() or not wal.stat().st_size


def test_nothing_of_a_closed_account_is_left(instance: Instance, tiktok: FakeTikTok) -> None:
    tiktok.account(NAME, nickname=NICKNAME).photo(caption=f"{CAPTION} " * 40)
    manage(
        instance,
        "shell",
        source=f"""
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
user = User.objects.create_user({PERSON!r}, {MAIL!r}, "correct horse 43")
EmailAddress.objects.create(user=user, email={MAIL!r}, verified=True, primary=True)
""",
    )
    words = NAME, NICKNAME, CAPTION, NOTE, PERSON, MAIL, TOKEN, BROWSER
    places = Places(instance)
    with (
        api(instance, PERSON, TOKEN) as script,
        httpx.Client(
            base_url=f"http://127.0.0.1:{instance.port}", headers={"User-Agent": BROWSER}
        ) as browser,
    ):
        save_stories(script)
        browser.get("/login/")
        browser.post("/login/", data=posted(browser, login=PERSON, password="correct horse 43"))
        sure = posted(browser, password="correct horse 43")
        assert browser.post("/account/confirm/", data=sure).status_code == 302
        found = places.found(*words)
        for word in words:
            assert any(word in place for place in found), found
        closed = browser.post("/account/data/", data=posted(browser, what="account"))
        assert closed.status_code == 200, closed.headers
    eventually(lambda: not places.found(*words), within=GONE_WITHIN_S)
    assert instance.stop(signal.SIGTERM) == 0
    assert places.found(*words) == []


def posted(browser: httpx.Client, **fields: str) -> dict[str, str]:
    """The fields of a form, with the token that goes with every one."""
    return fields | {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}

"""Slow readers of files in a bucket, each of whom holds a thread of a real web process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from jobs.files import bucket_mark, marks
from jobs.files.bucket_access import bucket
from tests import buckets
from tests.factories import make_artifact, make_job, make_user
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import eventually
from tests.integration.web_server import WebServer, web_server
from tests.slow_clients import slow_clients

CONTENT = bytes(range(250)) * 80_000
THREADS = 8
WINDOW = 4096


@pytest.fixture
def environment(settings: Any, transactional_db: None) -> Iterator[dict[str, str]]:
    """The environment of a web process whose files are in a bucket, as this one's are."""
    with buckets.moto_server() as endpoint:
        settings.STORYKEEP = django_settings.STORYKEEP.model_copy(
            update=buckets.settings_of(endpoint, "saved")
        )
        bucket_mark.looks.forget()
        bucket().write(marks.SENTINEL, b"")
        yield {
            "STORYKEEP_ARTIFACT_STORE": f"s3://{buckets.BUCKET}/saved",
            "STORYKEEP_ARTIFACT_STORE_ENDPOINT": endpoint,
            "STORYKEEP_ARTIFACT_STORE_KEY_ID": "key",
            "STORYKEEP_ARTIFACT_STORE_SECRET_KEY": "secret",
            "STORYKEEP_WEB_THREADS": str(THREADS),
        }


class Member:
    """Somebody signed in, with a file."""

    def __init__(self, name: str) -> None:
        user, client = make_user(name), Client()
        client.force_login(user)
        self.cookie = f"sessionid={client.cookies['sessionid'].value}"
        file = make_artifact(job=make_job(user), content=CONTENT, name="a.mp4")
        self.path = f"/files/{file.pk}/{file.name}"

    def request(self) -> bytes:
        """A request for the file."""
        return (
            f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\nCookie: {self.cookie}\r\n\r\n".encode()
        )

    def download(self, server: WebServer) -> tuple[int, bytes]:
        """Status and body."""
        return server.get(self.path, self.cookie)


def test_slow_members_do_not_keep_others_from_their_files(
    environment: dict[str, str], tmp_path: Path, proxy: FakeProxy
) -> None:
    alice, bob, carol = (Member(name) for name in ("alice", "bob", "carol"))
    with (
        web_server(tmp_path, proxy, **environment) as server,
        slow_clients(server.address) as slow,
    ):
        phones = [
            phone
            for member in (alice, bob)
            for phone in slow.connect(THREADS // 4, member.request(), window=WINDOW)
        ]
        assert [phone.recv(12) for phone in phones] == [b"HTTP/1.1 200"] * len(phones)
        assert carol.download(server)[0] == 429

        def is_served() -> bool:
            for phone in phones:  # each takes a little, and is never without anything for long
                phone.recv(200)
            status, body = carol.download(server)
            assert status in {200, 429}
            return status == 200 and body == CONTENT

        eventually(is_served, within=50)
        for _ in range(3):
            assert carol.download(server)[0] == 200
        assert "Traceback" not in server.output
        assert server.stop() == 0

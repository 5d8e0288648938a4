"""A web process of its own, and a signed-in person who looks at a job meanwhile."""

from __future__ import annotations

import http.client
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client

from jobs.files import disk
from jobs.models import Artifact
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import ROOT, eventually, worker_environment
from webapp.processes import listening, specs


class WebServer:
    """A web process as `manage.py up` starts it, without a supervisor.

    descriptors: how many it may have; 0: as many as this process.
    """

    def __init__(self, log: Path, proxy: FakeProxy, descriptors: int = 0, **env: str) -> None:
        self.log = log
        with listening.bind("127.0.0.1", 0) as bound, log.open("wb") as output:
            self.address: tuple[str, int] = bound.getsockname()
            self.process = subprocess.Popen(
                [*specs.web(settings.STORYKEEP).argv, "--listen-fd", str(bound.fileno())],
                cwd=ROOT,
                env=worker_environment(
                    proxy, DJANGO_SETTINGS_MODULE="tests.integration.web_settings", **env
                ),
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[bound.fileno()],
                preexec_fn=_limited_to(descriptors) if descriptors else None,
            )

    @property
    def output(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")

    def get(self, path: str, cookie: str = "", **headers: str) -> tuple[int, bytes]:
        """Status and body. Raises OSError when no answer comes in time."""
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        try:
            connection.request(
                "GET", path, headers={"Host": "localhost", "Cookie": cookie} | headers
            )
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def answers(self) -> bool:
        """Whether it answers by now."""
        try:
            return self.get("/health/live")[0] == 200
        except OSError:
            return False

    def threads(self) -> int:
        """How many threads it has."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def stop(self, number: int = signal.SIGTERM, within_s: float = 30) -> int:
        """A signal; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(within_s)


def _limited_to(descriptors: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))


@contextmanager
def web_server(folder: Path, proxy: FakeProxy, **options: Any) -> Iterator[WebServer]:
    """A web process that answers, ended in the end."""
    server = WebServer(folder / "web.log", proxy, **options)
    try:
        eventually(server.answers, within=60)
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        sys.stdout.write(server.output)  # shown when the test failed


class Person:
    """Somebody signed in, with a job at work and a saved file.

    cookie: of the session. job, file: theirs.
    """

    def __init__(self, content: bytes = bytes(range(250)) * 8000) -> None:
        disk.root()  # before there is a row of a file that would have to be in it
        self.user = make_user()
        client = Client()
        client.force_login(self.user)
        self.cookie = f"sessionid={client.cookies['sessionid'].value}"
        self.job = make_job(self.user)
        self.content = content
        story = make_story(make_item(self.job, state=ItemState.RUNNING))
        self.file: Artifact = make_artifact(story, content=content, name="a.mp4")
        self.file_path = f"/files/{self.file.pk}/{self.file.name}"

    def looks(self, server: WebServer) -> dict[str, int]:
        """Statuses of the pages and the poll somebody who waits for a job asks for."""
        paths = {"home": "/", "job": f"/jobs/{self.job.pk}/", "history": "/history/"}
        paths["poll"] = f"/jobs/{self.job.pk}/progress/"
        return {name: server.get(path, self.cookie)[0] for name, path in paths.items()}

    def download_request(self) -> bytes:
        """A request for the file, after which the connection ends."""
        lines = (
            f"GET {self.file_path} HTTP/1.1",
            "Host: localhost",
            f"Cookie: {self.cookie}",
            "Connection: close",
            "",
            "",
        )
        return "\r\n".join(lines).encode()


ANSWERED = {"home": 200, "job": 200, "history": 200, "poll": 200}

"""An instance as whoever runs it has it: a folder of the source, a file .env, and compose."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from tests.compose.commands import CommandFailed, run
from tests.compose.engine import Engine

ROOT: Final = Path(__file__).parents[2]
SERVER: Final = "docker-compose.yml"
HOUSEHOLD: Final = "docker-compose.household.yml"
ADMIN: Final = "admin"
PASSWORD: Final = "a long enough one 7"
READY_WITHIN_S: Final = 240.0
"""From the start of the containers; the machine may be busy with other things."""
KEPT: Final = {".env", "ca.pem", "docker-compose.override.yml"}
"""What is not of the source: a newer one leaves it as it is."""


def eventually(look: Callable[[], Any], within_s: float, every_s: float = 0.5) -> Any:
    """What `look` returns once that is true. Raises AssertionError with its last failure."""
    deadline = time.monotonic() + within_s
    while True:
        last: object = None
        try:
            found = look()
            if found:
                return found
            last = found
        except (AssertionError, CommandFailed, httpx.HTTPError, LookupError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s; the last look: {last!r}")
        time.sleep(every_s)


def has_commit(revision: str) -> bool:
    """Whether the repository holds a commit; a shallow clone has few."""
    asked = ["git", "rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}"]
    return not subprocess.run(asked, cwd=ROOT, capture_output=True, check=False).returncode


def source_files(revision: str | None) -> bytes:
    """A tar archive of the source: of a commit, or as it lies here, without what git ignores."""
    if revision:
        made = ["git", "archive", "--format=tar", revision]
        return subprocess.run(made, cwd=ROOT, check=True, capture_output=True).stdout
    listed = ["git", "ls-files", "-coz", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout
    there = [name for name in names.split(b"\0") if name and (ROOT / name.decode()).is_file()]
    packed = ["tar", "--null", "--files-from=-", "-cf", "-"]
    return subprocess.run(
        packed, cwd=ROOT, check=True, capture_output=True, input=b"\0".join(there)
    ).stdout


class Instance:
    """One instance. folder: of its source, below the engine's; file: its compose file's name."""

    def __init__(self, engine: Engine, folder: Path, file: str, project: str | None) -> None:
        self.engine, self.folder, self.file = engine, folder, file
        self._project = project
        self._settings: dict[str, str] = {}

    def take_source(self, revision: str | None) -> None:
        """Put the source there, or another one in its place."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            if path.name not in KEPT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        run(["tar", "-xf", "-", "-C", str(self.folder)], stdin=source_files(revision))

    def set(self, **settings: str) -> None:
        """Write these into `.env`, beside those that are there."""
        self._settings |= settings
        lines = [f"{name}={value}\n" for name, value in self._settings.items()]
        (self.folder / ".env").write_text("".join(lines))

    def compose(self, *words: str, stdin: bytes | None = None, limit_s: float = 1800.0) -> str:
        """What `docker compose …` printed, typed in the folder. Raises CommandFailed."""
        named = ["--project-name", self._project] if self._project else []
        where = self.engine.seen(self.folder)
        files = ["--file", f"{where}/{self.file}"]
        if (self.folder / "docker-compose.override.yml").exists():
            files += ["--file", f"{where}/docker-compose.override.yml"]
        options = ["--ansi", "never", "--progress", "plain", "--project-directory", where]
        return self.engine.run(
            "compose", *options, *named, *files, *words, stdin=stdin, limit_s=limit_s
        )

    def container(self, service: str, number: int = 0) -> dict[str, Any]:
        """What the engine tells of a service's container, ended or not. Raises LookupError."""
        names = self.compose("ps", "--all", "--quiet", service).split()
        told: dict[str, Any] = json.loads(self.engine.run("inspect", sorted(names)[number]))[0]
        return told

    @property
    def port(self) -> str:
        """The port people use."""
        return self._settings["PORT"]

    @property
    def address(self) -> str:
        """Where its pages are, from here."""
        return f"http://{self.engine.published_address}:{self.port}"

    def ready(self, within_s: float = READY_WITHIN_S) -> dict[str, Any]:
        """What `/health/ready` says once all of it is ready and a worker is there."""

        def look() -> dict[str, Any] | None:
            answer = httpx.get(f"{self.address}/health/ready", timeout=10)
            told: dict[str, Any] = answer.json()
            return told if answer.status_code == 200 and told["workers"]["alive"] else None

        said: dict[str, Any] = eventually(look, within_s)
        return said

    def first_admin(self, log: str) -> None:
        """Open the set-up link of a log as somebody would, and make the first admin there."""
        link = re.findall(r"http://\S+/setup/\S+", log)[-1]
        assert f":{self.port}/" in link, f"the link names another port than {self.port}: {link}"
        address = self.address + httpx.URL(link).path
        with httpx.Client(timeout=60, follow_redirects=True) as browser:
            page = browser.get(address)
            assert page.status_code == 200, f"the link's page: {page.status_code}"
            (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text))
            form = {"username": ADMIN, "password1": PASSWORD, "password2": PASSWORD}
            answer = browser.post(
                address,
                data=form | {"csrfmiddlewaretoken": token},
                headers={"Origin": self.address, "Referer": address},
            )
            assert answer.status_code == 200, f"making the admin: {answer.status_code}"
            assert answer.url.path == "/", f"it leads to {answer.url.path}"
            assert browser.get(f"{self.address}/admin/").status_code == 200

    def api(self, token: str) -> Api:
        """The API, with a token."""
        return Api(self.address, token)


class Api:
    """The API as a script uses it."""

    def __init__(self, address: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60
        )

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET. Raises AssertionError when it is refused."""
        answer = self._client.get(path, headers=headers)
        assert answer.status_code < 400, f"{path}: {answer.status_code} {answer.text[:300]}"
        return answer

    def submit(self, lines: Sequence[str]) -> str:
        """The id of a new job."""
        answer = self._client.post("/api/v1/jobs", json={"lines": list(lines)})
        assert answer.status_code == 202, f"{answer.status_code} {answer.text[:300]}"
        return str(answer.json()["id"])

    def settled(self, job: str, within_s: float) -> dict[str, Any]:
        """The job once it has settled."""

        def look() -> dict[str, Any] | None:
            told: dict[str, Any] = self.get(f"/api/v1/jobs/{job}").json()
            return told if told["state"] not in {"queued", "running"} else None

        said: dict[str, Any] = eventually(look, within_s, 1.0)
        return said

    def done(self, job: str, within_s: float = 120.0) -> list[dict[str, Any]]:
        """The files of a job that has to be done."""
        said = self.settled(job, within_s)
        assert said["state"] == "done", f"the job is {said['state']}: {_errors(said)}"
        return files_of(said)

    def download(self, file: Mapping[str, Any]) -> bytes:
        """A file's bytes, which are those it says; a part of them is the same part."""
        whole = self.get(file["url"]).content
        assert len(whole) == file["size_bytes"]
        assert hashlib.sha256(whole).hexdigest() == file["sha256"]
        part = self.get(file["url"], Range="bytes=100-1099")
        assert part.status_code == 206
        assert part.content == whole[100:1100]
        return whole

    def zip_names(self, job: str, within_s: float = 120.0) -> list[str]:
        """The names in the ZIP of a whole job, every one read to its end."""

        def look() -> dict[str, Any] | None:
            answer = self._client.post(f"/api/v1/jobs/{job}/bundle")
            assert answer.status_code in {200, 202}, answer.text[:300]
            told: dict[str, Any] | None = answer.json()["bundle"]
            return told

        bundle = eventually(look, within_s, 1.0)
        with zipfile.ZipFile(io.BytesIO(self.get(bundle["url"]).content)) as archive:
            assert archive.testzip() is None
            return archive.namelist()


def files_of(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every file of a job as the API tells it."""
    return [file for item in job["items"] for story in item["stories"] for file in story["files"]]


def _errors(job: Mapping[str, Any]) -> list[Any]:
    return [item["error"] for item in job["items"] if item["error"]]

"""The drill: fill an instance, back up, lose everything, restore, and everything is there."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests

from jobs.files.marks import SENTINEL
from tests.integration.test_up import ROOT, Instance, environment, free_port
from tests.integration.test_up import folder as folder
from tests.integration.test_up import up as up

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("backup"),
    pytest.mark.timeout(1200),
]
Start = Callable[[str], dict[str, str]]
PASSPHRASE = {"STORYKEEP_BACKUP_PASSPHRASE": "correct horse"}
FILL = """
import json
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from allauth.mfa.models import Authenticator
from accounts import tokens
from jobs.files import marks
from jobs.states import ItemState
from tests.factories import make_artifact, make_job, make_story
alice = User.objects.create_user("alice", password="alice and more")
User.objects.create_superuser("root", password="root and more")
Authenticator.objects.create(user=alice, type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})
job = make_job(alice, note="tab\\there, ünï, back\\\\slash", links=200, state=ItemState.DONE)
settings.STORYKEEP.artifacts.mkdir(exist_ok=True)
marks.put(settings.STORYKEEP.artifacts)
make_artifact(make_story(job.items.first()), content=b"bytes")
session = SessionStore(); session["who"] = "alice"; session.save()
print(json.dumps({"token": tokens.create(alice, "n"), "session": session.session_key}))
"""
LOOK = """
import json, sys
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.conf import settings
from allauth.mfa.models import Authenticator
from accounts import tokens
from accounts.models import SetupLink
from jobs.files import disk, marks
from jobs.models import Artifact, Item, Job
facts = json.loads(sys.stdin.read())
job = Job.objects.get()
print(json.dumps({
    "people": sorted(User.objects.values_list("username", flat=True)),
    "password": User.objects.get(username="alice").check_password("alice and more"),
    "token": tokens.authenticate(facts["token"]).owner.username,
    "session": SessionStore(facts["session"]).load().get("who"),
    "totp": Authenticator.objects.get().data["secret"],
    "note": job.note, "lines": Item.objects.count(), "files": Artifact.objects.count(),
    "links": SetupLink.objects.count(),
    "mark": marks.look(settings.STORYKEEP.artifacts, again=True).name,
    "key": settings.SECRET_KEY,
}))
"""


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder for data folders, whose names need care."""
    place = Path(tempfile.mkdtemp(prefix="sk-backup-", dir="/tmp"))
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def start_anew(
    request: pytest.FixtureRequest, base: Path
) -> Iterator[Callable[[str], dict[str, str]]]:
    """`start_anew(name)`: the settings of a new instance with nothing in it."""
    server = os.environ.get("STORYKEEP_DATABASE_URL", "")
    made: list[str] = []
    if (request.param == "postgresql") != server.startswith("postgres"):
        pytest.skip("is run on that database")

    def sql(statement: str) -> None:
        import psycopg

        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(statement)

    def start(name: str) -> dict[str, str]:
        folder = base / f"my dàta {name}"
        settings = environment(folder, free_port())
        if server.startswith("postgres"):
            made.append(f"drill_{os.getpid()}_{name}")
            sql(f"CREATE DATABASE {made[-1]}")
            parts = urlsplit(server)
            settings["STORYKEEP_DATABASE_URL"] = urlunsplit(parts._replace(path=f"/{made[-1]}"))
        return settings

    yield start
    for name in made:
        sql(f"DROP DATABASE {name} WITH (FORCE)")


def manage(settings: dict[str, str], *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=settings | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        **more,
    )


def fill(settings: dict[str, str]) -> dict[str, str]:
    done = manage(settings, "up", "--only", "migrate")
    assert done.returncode == 0, done.stderr
    done = manage(settings, "shell", "--no-imports", "-c", FILL)
    assert done.returncode == 0, done.stderr
    facts: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return facts


def look(settings: dict[str, str], facts: dict[str, str]) -> dict[str, Any]:
    done = manage(settings, "shell", "--no-imports", "-c", LOOK, input=json.dumps(facts))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_everything_lost_and_everything_back(
    start_anew: Callable[[str], dict[str, str]], base: Path
) -> None:
    old = start_anew("old")
    facts = fill(old)
    before = look(old, facts)
    assert before["session"] == before["token"] == "alice"
    file = base / "keep.tar"
    done = manage(old | PASSPHRASE, "backup", str(file))
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert before["key"].encode() not in file.read_bytes()

    new = start_anew("new")
    wrong = new | {"STORYKEEP_BACKUP_PASSPHRASE": "wrong horse"}
    refused = manage(wrong, "restore", str(file))
    assert refused.returncode == 2
    assert "passphrase is wrong" in refused.stderr
    done = manage(new | PASSPHRASE, "restore", str(file))
    assert done.returncode == 0, done.stderr
    assert "2 people, 1 jobs" in done.stdout
    assert look(new, facts) == before | {"mark": "OURS", "links": 0, "session": None}
    done = manage(new, "up", "--only", "migrate")
    assert done.returncode == 0, done.stderr
    assert "/setup/" not in done.stdout

    again = manage(new | PASSPHRASE, "restore", str(file))
    assert again.returncode == 2
    assert "not empty" in again.stderr
    assert "--replace" in again.stderr


def test_without_its_key_people_sign_in_and_tokens_work(
    start_anew: Callable[[str], dict[str, str]], base: Path
) -> None:
    old = start_anew("old")
    facts = fill(old)
    file = base / "keep.tar"
    done = manage(old, "backup", str(file))
    assert done.returncode == 0, done.stderr
    assert "keys are left out" in done.stderr
    new = start_anew("new")
    done = manage(new, "restore", str(file))
    assert done.returncode == 0, done.stderr
    assert "Everyone signs in once more" in done.stdout
    assert "links that were sent do not work" in done.stdout
    found = look(new, facts)
    assert (found["token"], found["totp"], found["password"]) == ("alice", "JBSWY3DPEHPK3PXP", True)


def test_the_way_back_from_an_upgrade(
    start_anew: Callable[[str], dict[str, str]], base: Path
) -> None:
    """An older schema is backed up before it is migrated; restored, it is brought up to date."""
    settings = start_anew("old")
    facts = fill(settings)
    folder = Path(settings["STORYKEEP_DATA_DIR"])
    assert not (folder / "backups").exists(), "a new instance has nothing to lose"
    back = manage(settings, "migrate", "jobs", "0012", "-v", "0")
    assert back.returncode == 0, back.stderr
    done = manage(settings, "up", "--only", "migrate")
    assert done.returncode == 0, done.stderr
    (file,) = (folder / "backups").glob("storykeep-*-upgrade.tar")
    assert f"backed up to {file}" in done.stdout
    done = manage(settings, "up", "--only", "migrate")
    assert len(list((folder / "backups").glob("*.tar"))) == 1

    (folder / "artifacts" / SENTINEL).unlink(missing_ok=True)
    done = manage(settings, "restore", "--replace", str(file))
    assert done.returncode == 0, done.stderr
    assert "-replaced.tar" in done.stdout
    found = look(settings, facts)
    assert (found["people"], found["session"], found["lines"]) == (["alice", "root"], None, 200)
    assert manage(settings, "migrate", "--check").returncode == 0


def test_an_upgrade_that_fails_after_the_restore_is_told_as_what_it_is(
    start_anew: Callable[[str], dict[str, str]], base: Path
) -> None:
    """On PostgreSQL everything is back by then, and a start goes on; on SQLite nothing is."""
    old, new = start_anew("old"), start_anew("new")
    facts = fill(old)
    before = look(old, facts)
    assert manage(old, "migrate", "jobs", "0013", "-v", "0").returncode == 0
    in_the_way = "CREATE INDEX jobs_namingchoice ON jobs_job (note)"
    sql = "from django.db import connection; connection.cursor().execute({!r})"
    assert manage(old, "shell", "--no-imports", "-c", sql.format(in_the_way)).returncode == 0
    file = base / "keep.tar"
    assert manage(old | PASSPHRASE, "backup", str(file)).returncode == 0
    done = manage(new | PASSPHRASE, "restore", str(file))
    assert "jobs_namingchoice" in done.stderr
    folder = Path(new["STORYKEEP_DATA_DIR"])
    if "STORYKEEP_DATABASE_URL" not in new:
        assert done.returncode == 2
        assert "nothing was restored" in done.stderr
        assert not list(folder.glob("*.sqlite3")), "nothing is there, and nothing was left"
        assert not list(folder.glob("*restoring*"))
        key = folder / "secret-key"
        assert not key.exists() or key.read_text() != before["key"]
        return
    assert done.returncode == 1
    assert "nothing was restored" not in done.stderr
    assert "is restored, but could not be brought up to date" in done.stderr
    assert "Restored the backup of" in done.stdout
    again = manage(new, "up", "--only", "migrate")
    assert again.returncode
    drop = sql.format("DROP INDEX jobs_namingchoice")
    assert manage(new, "shell", "--no-imports", "-c", drop).returncode == 0
    again = manage(new, "up", "--only", "migrate")
    assert again.returncode == 0, again.stderr
    assert look(new, facts) == before | {"mark": "OURS", "links": 0, "session": None}


def test_killed_in_the_middle_it_is_whole_or_as_it_was(
    start_anew: Callable[[str], dict[str, str]], base: Path
) -> None:
    old, new = start_anew("old"), start_anew("new")
    fill(old)
    file = base / "keep.tar"
    assert manage(old, "backup", str(file)).returncode == 0
    fill(new)
    backups = Path(old["STORYKEEP_DATA_DIR"]) / "backups"
    for wait_s in (0.5, 1.2, 2.0, 3.0):
        for settings, words in ((old, ["backup"]), (new, ["restore", "--replace", str(file)])):
            process = subprocess.Popen(
                [sys.executable, "manage.py", *words], cwd=ROOT, env=settings,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(wait_s)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        check = manage(new, "shell", "--no-imports", "-c", "from jobs.models import *; "
                       "print(Job.objects.count(), Item.objects.count())")  # fmt: skip
        assert check.stdout.split() == ["1", "200"], check.stderr
        for made in backups.glob("*.tar"):
            from webapp.backups.archive import Backup

            with made.open("rb") as opened:
                Backup(opened).check()
    done = manage(new, "restore", "--replace", str(file))
    assert done.returncode == 0, done.stderr
    assert manage(old, "backup").returncode == 0
    assert not list(backups.glob("*.partial"))
    assert not list(Path(new["STORYKEEP_DATA_DIR"]).glob(".restoring*"))


def test_killed_between_database_and_key_it_is_restored_once_more(
    start_anew: Callable[[str], dict[str, str]], base: Path
) -> None:
    """As docs/deploy.md says."""
    old, new = start_anew("old"), start_anew("new")
    facts = fill(old)
    before = look(old, facts)
    file = base / "keep.tar"
    assert manage(old | PASSPHRASE, "backup", str(file)).returncode == 0
    killed = (
        "import os; from django.core.management import call_command;"
        "from webapp.backups import restoring; restoring._put = lambda _put: os._exit(9);"
        f"call_command('restore', {str(file)!r})"
    )
    done = manage(new | PASSPHRASE, "shell", "--no-imports", "-c", killed)
    assert done.returncode == 9, done.stderr
    assert look(new, facts)["key"] != before["key"]
    left = Path(new["STORYKEEP_DATA_DIR"]) / "secret-key.restoring"
    assert left.exists()
    done = manage(new | PASSPHRASE, "restore", "--replace", str(file))
    assert done.returncode == 0, done.stderr
    assert not left.exists()
    assert look(new, facts) == before | {"mark": "OURS", "links": 0, "session": None}


def test_a_disk_that_is_full_keeps_the_upgrade_from_beginning(base: Path) -> None:
    """As far as the folder of backups goes, which lies on a disk without room here."""
    if os.environ.get("STORYKEEP_DATABASE_URL", "").startswith("postgres"):
        pytest.skip("SQLite")
    settings = environment(base / "data", free_port())
    fill(settings)
    assert manage(settings, "migrate", "jobs", "0012", "-v", "0").returncode == 0
    small = base / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        tight = settings | {"STORYKEEP_BACKUP_DIR": str(small)}
        done = manage(tight, "up", "--only", "migrate")
        assert done.returncode == 2
        assert "too little room" in done.stderr
        assert "STORYKEEP_BACKUP_KEEP=0" in done.stderr
        assert "Traceback" not in done.stderr
        assert manage(tight, "migrate", "--check").returncode == 1, "nothing was migrated"
        refused = manage(tight, "backup")
        assert refused.returncode == 1
        assert [path.name for path in small.iterdir()] == [".lock"]
        done = manage(tight | {"STORYKEEP_BACKUP_KEEP": "0"}, "up", "--only", "migrate")
        assert done.returncode == 0, done.stderr
    finally:
        subprocess.run(["umount", str(small)], check=True)


def multipart(fields: dict[str, str], file: bytes) -> tuple[bytes, str]:
    """A form with a file, and its content type."""
    mark = "----storykeep"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields.items()
    ]
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="keep.tar"\r\n\r\n'
    content = b"".join(parts) + head.encode() + file + f"\r\n--{mark}--\r\n".encode()
    return content, f"multipart/form-data; boundary={mark}"


def test_a_large_backup_by_the_set_up_link_of_an_instance_that_runs(
    up: Callable[..., Instance], base: Path
) -> None:
    if os.environ.get("STORYKEEP_DATABASE_URL", "").startswith("postgres"):
        pytest.skip("SQLite")
    old = environment(base / "data", free_port())
    fill(old)
    with sqlite3.connect(base / "data" / "storykeep.sqlite3") as database:
        database.execute("UPDATE jobs_job SET note = hex(randomblob(2000000))")
    file = base / "keep.tar"
    assert manage(old | PASSPHRASE, "backup", str(file)).returncode == 0
    instance = up()
    link = urlsplit(instance.wait_for_line(r"(http\S+/setup/\S+/)")[1]).path
    browser = requests.Session()
    address = f"http://127.0.0.1:{instance.port}{link}restore/"
    page = browser.get(address, timeout=60).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    fields = {"csrfmiddlewaretoken": token[1], "passphrase": "correct horse"}
    body, kind = multipart(fields, file.read_bytes())
    assert len(body) > 4_000_000
    set_up = f"http://127.0.0.1:{instance.port}{link}"
    elsewhere = browser.post(set_up, body, headers={"Content-Type": kind}, timeout=60)
    assert elsewhere.status_code == 413
    answer = browser.post(address, body, headers={"Content-Type": kind}, timeout=300)
    assert answer.status_code == 200, answer.text
    assert "2 accounts are back" in answer.text
    assert browser.get(address, timeout=60).status_code == 404
    key = (base / "data" / "secret-key").read_text()
    assert (instance.folder / "secret-key").read_text() == key
    page = browser.get(f"http://127.0.0.1:{instance.port}/login/", timeout=60).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    given = {"csrfmiddlewaretoken": token[1], "login": "root", "password": "root and more"}
    signed_in = browser.post(f"http://127.0.0.1:{instance.port}/login/", given, timeout=60)
    assert signed_in.status_code == 200
    assert "sessionid" in browser.cookies
    left = {path.name for path in instance.folder.iterdir()}
    assert not [name for name in left if name.startswith((".restoring", "tmp"))]


def test_while_others_have_the_database_open_it_is_refused(base: Path) -> None:
    if os.environ.get("STORYKEEP_DATABASE_URL", "").startswith("postgres"):
        pytest.skip("SQLite")
    settings = environment(base / "data", free_port())
    fill(settings)
    file = base / "keep.tar"
    stream = subprocess.run(
        [sys.executable, "manage.py", "backup", "-"], cwd=ROOT, env=settings, capture_output=True,
        check=True,
    )  # fmt: skip
    file.write_bytes(stream.stdout)
    open_one = sqlite3.connect(base / "data" / "storykeep.sqlite3")
    open_one.execute("SELECT count(*) FROM jobs_job").fetchone()
    refused = manage(settings, "restore", "--replace", str(file))
    assert refused.returncode == 2
    assert "in use" in refused.stderr
    open_one.close()
    assert manage(settings, "restore", "--replace", str(file)).returncode == 0


def test_one_command_that_backs_up_loads_no_more_than_it_needs(base: Path) -> None:
    """An instance that makes no backups by itself has not loaded what makes them."""
    code = (
        "import django, sys; django.setup(); import webapp.celery, webapp.clock, webapp.worker;"
        "print(*sorted(name for name in sys.modules if name.startswith('webapp.backups')))"
    )
    settings = environment(base / "data", free_port()) | {
        "DJANGO_SETTINGS_MODULE": "webapp.settings"
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=settings, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.split() == []

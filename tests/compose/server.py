"""The compose file for a server: from a clone to a job, through everything that can stop a part."""

from __future__ import annotations

import socket
import time
from datetime import datetime
from typing import Any, Final

from tests.compose.commands import CommandFailed
from tests.compose.instance import ADMIN, Instance, eventually
from tests.compose.report import Report
from tests.compose.tiktok import TikTok

OURS: Final = ("web", "worker", "migrate")
LONG_RUNNING: Final = ("web", "worker", "database", "redis")
LINE: Final = "@sample.user"
RATE: Final = "777"
"""Of `STORYKEEP_API_RATE`, which the compose file does not name: it has to come from `.env`."""


def trust(instance: Instance, service: str, tiktok: TikTok) -> None:
    """Have the instance go through the make-believe TikTok, by the settings a user would."""
    copy = ["exec", "-T", service, "sh", "-c", "cat > /data/authority.pem"]
    instance.compose(*copy, stdin=tiktok.authority)
    instance.set(
        STORYKEEP_PROXY=tiktok.proxy,
        STORYKEEP_CA_BUNDLE="/data/authority.pem",
        STORYKEEP_LIST_RATE="0",
    )


def try_server(report: Report, instance: Instance, tiktok: TikTok) -> None:
    """Every check of docker-compose.yml. Raises Abandoned."""
    _start(report, instance)
    with report.check("the link in the log names the port, and makes the first admin", needed=True):
        instance.first_admin(instance.compose("logs", "--no-log-prefix", "migrate"))
    with report.check("a setting that is put into .env reaches the processes", needed=True):
        trust(instance, "web", tiktok)
        instance.set(STORYKEEP_API_RATE=RATE, STORYKEEP_IMAGE="storykeep:latest")
        instance.compose("up", "-d")
        instance.ready()
        token = instance.compose("exec", "-T", "web", "python", "manage.py", "token", ADMIN).strip()
        api = instance.api(token)
        assert api.get("/api/v1/me").headers["RateLimit-Limit"] == RATE
    with report.check("a job's files come whole and in parts, and as a ZIP", needed=True):
        job = api.submit([LINE])
        files = api.done(job)
        assert len(files) >= 5, f"{len(files)} files"
        for file in files:
            api.download(file)
        assert len(api.zip_names(job)) >= len(files)
    _shut_in(report, instance)
    with report.check("after `restart` all of it is there"):
        instance.compose("restart")
        instance.ready()
        api.download(files[0])
        api.done(api.submit([LINE]))
    with report.check("of two workers one is killed, and every line is done", needed=True):
        _kill_one_of_two(instance, api, tiktok)
    with report.check("after `down` and `up -d` all of it is there"):
        instance.compose("down")
        instance.compose("up", "-d")
        instance.ready()
        assert instance.api(token).get("/api/v1/me").json()["user"]["name"] == ADMIN
        for file in files:
            api.download(file)
        assert "/setup/" not in instance.compose("logs", "migrate")
    with report.check("no process told of a mistake of its own"):
        log = instance.compose("logs", "--no-log-prefix", *OURS)
        assert "Traceback" not in log, log[log.find("Traceback") :][:1500]


def _start(report: Report, instance: Instance) -> None:
    with report.check("without a password `up` says what is missing"):
        try:
            instance.compose("up", "-d")
        except CommandFailed as error:
            assert "DATABASE_PASSWORD" in str(error)  # noqa: PT017 - what the command says is the check
        else:
            raise AssertionError("it started")
    instance.set(DATABASE_PASSWORD="trial")
    with report.check("`up -d` from a clone builds the image and starts everything", needed=True):
        instance.compose("up", "-d")
        instance.ready()
    with report.check("the parts start in their order"):
        began = {name: _at(instance, name, "StartedAt") for name in (*LONG_RUNNING, "migrate")}
        prepared = _at(instance, "migrate", "FinishedAt")
        assert began["database"] < began["migrate"] < prepared
        assert prepared <= min(began["web"], began["worker"])
        assert instance.container("migrate")["State"]["ExitCode"] == 0
    with report.check("each part is healthy"):
        for name in LONG_RUNNING:
            eventually(lambda name=name: _health(instance, name) == "healthy", 120, 2)  # type: ignore[misc]


def _at(instance: Instance, service: str, what: str) -> datetime:
    text: str = instance.container(service)["State"][what]
    return datetime.fromisoformat(f"{text[:19]}+00:00").replace(
        microsecond=int(text[20:26].rstrip("Z").ljust(6, "0"))
    )


def _health(instance: Instance, service: str) -> str:
    return str(instance.container(service)["State"]["Health"]["Status"])


def _shut_in(report: Report, instance: Instance) -> None:
    """What containers may not do."""
    with report.check("ours run as nobody in particular, read-only, without capabilities"):
        for service in ("web", "worker"):
            _shell_says(instance, service, "id -u", "10001")
            status = instance.compose("exec", "-T", service, "cat", "/proc/1/status")
            assert "CapEff:\t0000000000000000" in status
            assert "NoNewPrivs:\t1" in status
            _shell_says(instance, service, "touch /app/x 2>/dev/null || echo refused", "refused")
            _shell_says(instance, service, "touch /data/x /tmp/x && rm /data/x && echo ok", "ok")
    with report.check("the inner network leads nowhere, and nothing of it is published"):
        outside = (instance.engine.host_address, _listening(instance))
        assert _reaches(instance, ["exec", "-T", "worker"], outside)
        inside = ["run", "--rm", "-T", "--no-deps", "--entrypoint", "", "migrate"]
        assert _reaches(instance, inside, ("database", 5432))
        assert not _reaches(instance, inside, outside)
        for port in (5432, 6379):
            with socket.socket() as trial:
                trial.settimeout(5)
                assert trial.connect_ex((instance.engine.published_address, port))


def _shell_says(instance: Instance, service: str, typed: str, said: str) -> None:
    assert instance.compose("exec", "-T", service, "sh", "-c", typed).strip() == said


def _listening(instance: Instance) -> int:
    """A port of this machine on which somebody listens for containers."""
    text = (instance.folder / ".env").read_text()
    return int(text.partition("STORYKEEP_PROXY=")[2].split()[0].rpartition(":")[2])


def _reaches(instance: Instance, how: list[str], where: tuple[str, int]) -> bool:
    program = (
        f"import socket; s = socket.socket(); s.settimeout(5); print(s.connect_ex({where!r}) == 0)"
    )
    try:
        return instance.compose(*how, "python", "-c", program).strip().endswith("True")
    except CommandFailed as error:
        # No route at all, or a name that nobody knows there.
        assert "OSError" in str(error) or "gaierror" in str(error), error  # noqa: PT017
        return False


def _kill_one_of_two(instance: Instance, api: Any, tiktok: TikTok) -> None:
    instance.compose("up", "-d", "--scale", "worker=2")
    eventually(lambda: instance.ready()["workers"]["alive"] == 2, 120, 1)
    lines = tiktok.people("many", 30, 240_000)
    tiktok.pace(40_000)
    job = api.submit(lines)
    eventually(lambda: api.get(f"/api/v1/jobs/{job}").json()["state"] == "running", 30)
    time.sleep(2)
    instance.engine.run("kill", instance.container("worker", 0)["Id"])
    tiktok.pace(None)
    files = api.done(job, 300)
    assert len(files) >= len(lines)
    for file in files[:3]:
        api.download(file)

"""An upgrade under work: an instance of an earlier commit, with data in it, becomes this one."""

from __future__ import annotations

from typing import Final

from tests.compose.instance import ADMIN, Instance
from tests.compose.report import Report
from tests.compose.server import LINE
from tests.compose.tiktok import TikTok

AUTHORITY: Final = "/data/authority.pem"
PUT_THERE: Final = ("run", "--rm", "-T", "--no-deps", "--entrypoint", "sh", "web", "-c")
INSTALLS: Final = "COPY requirements/base.lock"
TRUSTS: Final = "ARG PIP_INDEX_URL\nENV PIP_CERT=/tmp/ca.pem\nCOPY ca.pem /tmp/\n"
# An earlier compose file may hand on a list of settings alone: what is missing is added to it.
OVERRIDE: Final = f"""\
x-more: &more
  environment:
    STORYKEEP_CA_BUNDLE: {AUTHORITY}
services:
  web: *more
  worker: *more
  migrate: *more
"""


def tell_of_authority(report: Report, instance: Instance) -> None:
    """Have an earlier Dockerfile that cannot be told of one trust this network's authority."""
    dockerfile = instance.folder / "Dockerfile"
    text = dockerfile.read_text(encoding="utf-8")
    if "ca.pe" in text or not (instance.folder / "ca.pem").exists():
        return
    report.say("       upgrade: the earlier image is told of this network's authority")
    with (instance.folder / ".dockerignore").open("a", encoding="utf-8") as ignored:
        ignored.write("!ca.pem\n")
    dockerfile.write_text(text.replace(INSTALLS, f"{TRUSTS}{INSTALLS}", 1))


def try_upgrade(report: Report, instance: Instance, tiktok: TikTok) -> None:
    """Every check of an upgrade; the earlier source is there already. Raises Abandoned."""
    with report.check("upgrade: the earlier version runs and has data", needed=True):
        (instance.folder / "docker-compose.override.yml").write_text(OVERRIDE)
        instance.set(
            DATABASE_PASSWORD="trial", STORYKEEP_PROXY=tiktok.proxy, STORYKEEP_LIST_RATE="0"
        )
        instance.set(STORYKEEP_ADMIN_USER=ADMIN, STORYKEEP_ADMIN_PASSWORD="a long enough one 7")
        instance.compose("build")
        instance.compose(*PUT_THERE, f"cat > {AUTHORITY}", stdin=tiktok.authority)
        instance.compose("up", "-d")
        instance.ready()
        typed = ("exec", "-T", "web", "python", "manage.py", "token", ADMIN)
        token = instance.compose(*typed).strip()
        api = instance.api(token)
        files = api.done(api.submit([LINE]))
        before = str(instance.container("web")["Image"])
    with report.check("upgrade: `up -d --build` of this version, while a job runs", needed=True):
        lines = tiktok.people("upgrade", 6, 240_000)
        tiktok.pace(20_000)
        job = api.submit(lines)
        instance.take_source(None)
        instance.compose("up", "-d", "--build")
        instance.ready()
        assert instance.container("web")["Image"] != before
    with report.check("upgrade: the job goes on and is done"):
        tiktok.pace(None)
        assert len(api.done(job, 240)) >= len(lines)
    with report.check("upgrade: account, token and files are still there"):
        assert api.get("/api/v1/me").json()["user"]["name"] == ADMIN
        for file in files:
            api.download(file)
        log = instance.compose("logs", "--no-log-prefix", "migrate", "web", "worker")
        assert "Traceback" not in log, log[log.find("Traceback") :][:1500]

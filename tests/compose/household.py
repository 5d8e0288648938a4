"""The compose file for a household: one container, one volume, nothing to be set."""

from __future__ import annotations

import time

from tests.compose.instance import ADMIN, Instance
from tests.compose.report import Report
from tests.compose.server import LINE, trust
from tests.compose.tiktok import TikTok

NAME = "storykeep"
"""Of its container: the hint on the sign-in page and the docs say `docker logs storykeep`."""


def try_household(report: Report, instance: Instance, tiktok: TikTok) -> None:
    """Every check of docker-compose.household.yml. Raises Abandoned."""
    volumes = set(instance.engine.run("volume", "ls", "--quiet").split())
    with report.check("household: `up -d` from a clone, with nothing set but a port", needed=True):
        instance.compose("up", "-d")
        instance.ready()
    with report.check(
        "household: `docker logs storykeep` shows the link, which works", needed=True
    ):
        instance.first_admin(instance.engine.run("logs", NAME))
    with report.check("household: a job's files come, and as a ZIP", needed=True):
        trust(instance, NAME, tiktok)
        instance.compose("up", "-d")
        instance.ready()
        typed = ("exec", NAME, "python", "manage.py", "token", ADMIN)
        token = instance.engine.run(*typed).strip()
        api = instance.api(token)
        job = api.submit([LINE])
        files = api.done(job)
        for file in files:
            api.download(file)
        assert len(api.zip_names(job)) >= len(files)
    with report.check("household: one volume holds everything, and there is no other"):
        made = set(instance.engine.run("volume", "ls", "--quiet").split()) - volumes
        assert len(made) == 1, made
        kept = instance.engine.run("exec", NAME, "ls", "-A", "/data")
        assert {"storykeep.sqlite3", "secret-key", "artifacts"} <= set(kept.split())
        mounts = instance.container(NAME)["Mounts"]
        assert [mount["Destination"] for mount in mounts if mount["Type"] == "volume"] == ["/data"]
    with report.check("household: it is read-only, and stops when it is told to"):
        told = instance.container(NAME)["HostConfig"]
        assert told["ReadonlyRootfs"]
        began = time.monotonic()
        instance.compose("stop")
        assert time.monotonic() - began < 60
        ended = instance.container(NAME)["State"]["ExitCode"]
        assert ended == 0, f"exit code {ended}"
    with report.check("household: after `down` and `up -d` all of it is there"):
        instance.compose("down")
        instance.compose("up", "-d")
        instance.ready()
        for file in files:
            api.download(file)
        log = instance.engine.run("logs", NAME)
        assert "/setup/" not in log
        assert "Traceback" not in log, log[log.find("Traceback") :][:1500]

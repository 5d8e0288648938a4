"""`manage.py diagnose` as it is typed: a process of its own, over the route a worker takes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from jobs.housekeeping import sweep
from jobs.upstream import breaker
from stories.client import StoryClient
from stories.errors import Refused, UpstreamChanged
from stories.story_list import StoryList
from stories.structures import Target, TargetKind
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import ROOT, Start, _database_url
from tests.neutral_samples import moment, transport

PASSWORD = "hunter2hunter2"


def diagnose(
    proxy: FakeProxy, *typed: str, **env: str
) -> tuple[int, dict[str, dict[str, Any]], str]:
    """Exit code, the findings by part, and everything printed."""
    own = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    done = subprocess.run(
        [sys.executable, "manage.py", "diagnose", "--json", *typed],
        cwd=ROOT,
        env=own
        | {
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
            "STORYKEEP_DATA_DIR": str(settings.STORYKEEP.data_dir),
            "STORYKEEP_DATABASE_URL": _database_url(),
            "STORYKEEP_PROXY": proxy.url.replace("//", f"//someone:{PASSWORD}@"),
            "STORYKEEP_CA_BUNDLE": proxy.ca_path,
            "STORYKEEP_DISK_MIN_FREE": "0",
        }
        | env,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    findings = {finding["part"]: finding for finding in report["findings"]}
    assert len(findings) == len(report["findings"]), "no part is named twice"
    return done.returncode, findings, done.stdout + done.stderr


@pytest.fixture
def _swept() -> None:
    sweep.sweep(timezone.now())


@pytest.mark.usefixtures("_swept")
def test_a_running_instance(start_worker: Start, proxy: FakeProxy, tiktok: FakeTikTok) -> None:
    alice = tiktok.account("alice.secret", nickname="Alice Private")
    clip = alice.video(seconds=1, caption="hidden words")
    start_worker().ready()
    requests_before = len(tiktok.requests)
    code, findings, printed = diagnose(proxy, "@alice.secret")
    assert code == 0, printed
    assert {part: finding["verdict"] for part, finding in findings.items()} == {
        **dict.fromkeys(
            (
                "database",
                "redis",
                "worker",
                "queue",
                "scheduler",
                "disk",
                "clock",
                "pause",
                "identity",
                "protocol",
                "ways",
                "hosts",
                "proxy",
            ),
            "ok",
        ),
        **({"dbclock": "ok"} if connection.vendor == "postgresql" else {}),
        **dict.fromkeys(("profile", "list", "media", "siteclock"), "ok"),
        "failures": "note",
    }
    assert "1024 bytes of an MP4 file" in findings["media"]["said"]
    assert len(tiktok.requests) == requests_before + 3
    assert findings["worker"]["said"].startswith("1 alive")
    for secret in (
        PASSWORD, "someone", str(settings.STORYKEEP.data_dir), "hidden words", "Alice Private",
        alice.id, alice.sec_uid, clip.id, "tt_chain_token", "signature", "http://", "https://",
        os.uname().nodename,
    ):  # fmt: skip
        assert secret not in printed
    assert not re.search(r"[A-Za-z0-9_%-]{32,}", printed)


def test_it_makes_nothing(tmp_path: Path, proxy: FakeProxy) -> None:
    """A folder named wrongly stays as it is, and is found out."""
    folder = tmp_path / "wrong"
    for there in (False, True):
        if there:
            folder.mkdir()
        code, findings, _ = diagnose(
            proxy, STORYKEEP_DATA_DIR=str(folder), STORYKEEP_DATABASE_URL=""
        )
        assert code == 1
        assert findings["database"]["said"] == "does not answer (OperationalError)"
        assert findings["disk"]["said"] == "the folder for saved files is not there"
        assert list(tmp_path.rglob("*")) == ([folder] if there else [])


def test_what_tiktok_refuses(proxy: FakeProxy, tiktok: FakeTikTok) -> None:
    tiktok.account("alice.secret").photo()
    breaker.open_for(Refused())
    tiktok.fault("list", 403)
    code, findings, _ = diagnose(proxy, "@alice.secret")
    assert code == 1
    assert findings["pause"]["verdict"] == "warn"
    assert findings["profile"]["verdict"] == "ok"
    assert findings["list"]["said"].startswith("@alice.secret: refused after")
    assert "media" not in findings
    assert findings["worker"]["verdict"] == "fail"
    status = breaker.open_state()
    assert status  # a look ends no pause, and lengthens none


def test_the_other_clock_is_wrong(proxy: FakeProxy, tiktok: FakeTikTok) -> None:
    tiktok.account("alice.secret")
    tiktok.advance(7200)
    _, findings, _ = diagnose(proxy, "@alice.secret")
    assert findings["siteclock"]["said"] == "This server's clock is 2 h behind TikTok's"
    assert findings["media"]["verdict"] == "note"


def test_a_sample_of_a_changed_answer(proxy: FakeProxy, tiktok: FakeTikTok, tmp_path: Path) -> None:
    """It names what is missing, holds nobody's words, and is read like the answer it is of."""
    alice = tiktok.account("alice.secret", nickname="Alice Private")
    alice.photo(caption="hidden words")
    tiktok.fault("list", "changed")
    file = tmp_path / "sample.json"
    code, findings, _ = diagnose(proxy, "@alice.secret", "--record", str(file))
    assert code == 1
    assert "upstream_changed" in findings["list"]["said"]
    assert findings["list"]["reason"] == "upstream_changed"
    assert "(statusCode is missing)" in findings["list"]["said"]
    text = file.read_text()
    for secret in ("alice", "Alice", "hidden words", alice.id, alice.sec_uid, PASSWORD):
        assert secret not in text
    sample = json.loads(text)
    assert [answer["endpoint"] for answer in sample["answers"]] == ["profile", "list"]
    assert sample["answers"][1]["body"]["data"] == {"data": {"stories": []}, "ok": True}

    async def again() -> StoryList:
        given = transport(sample)
        client = StoryClient(page_transport=given, media_transport=given)
        async with client:
            session = client.session()
            target = Target(kind=TargetKind.USER, name=sample["account"])
            author = await client.get_author(target, session)
            return await client.get_story_list(author, session, now=moment(sample))

    with pytest.raises(UpstreamChanged, match="statusCode is missing"):
        asyncio.run(again())

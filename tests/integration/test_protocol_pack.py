"""A protocol pack in real processes: a running worker, `manage.py fetch`, and a look by HTTPS."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from jobs.choices import PackOrigin
from jobs.models import ProtocolPack
from jobs.queue import submission
from jobs.states import ItemState
from jobs.upstream import protocol
from stories.protocol.reading import PackRefused
from tests import packs
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import ROOT, Start, _database_url, eventually
from tests.integration.shell import Shell
from tests.unit.stories.http.loopback import Asked, loopback, reply

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/160.0.0.0"


def be_somebody_else(facts: dict[str, Any]) -> None:
    """Every identity has another user agent."""
    for ladder in ("curl", "httpx"):
        for identity in facts["identities"][ladder]:
            identity["user_agent"] = AGENT


@pytest.fixture(autouse=True)
def _trusting(settings: Any) -> Iterator[None]:
    """This process trusts the tests' key, and goes by no pack of another test."""
    changed = {"protocol_key": packs.PUBLIC_TEXT}
    settings.STORYKEEP = settings.STORYKEEP.model_copy(update=changed)
    protocol.in_use.forget()
    yield
    protocol.in_use.forget()


def test_a_running_worker_takes_up_what_another_process_imported(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    tiktok.account("alice").photo()
    tiktok.fault({"text": "https://www.tiktok.com/", "agent": "Chrome/150"}, 403)
    tiktok.fault({"text": "https://www.tiktok.com/", "agent": "compatible"}, 403)
    worker = start_worker(STORYKEEP_PROTOCOL_KEY=packs.PUBLIC_TEXT).ready()
    protocol.store(packs.signed(be_somebody_else), PackOrigin.FILE)
    job = submission.submit(make_user("nora"), ["@alice"])
    item = eventually(lambda: job.items.exclude(state__in=["queued", "running"]).first())
    assert item.state == ItemState.DONE, worker.output
    assert {seen.headers["user-agent"] for seen in tiktok.seen("list")} == {AGENT}
    assert f"the protocol pack {packs.NEWER} is in use" in worker.output


def test_a_worker_that_does_not_trust_the_key_goes_by_what_it_knows(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    tiktok.account("alice").photo()
    worker = start_worker().ready()
    protocol.store(packs.signed(be_somebody_else), PackOrigin.FILE)
    job = submission.submit(make_user("nora"), ["@alice"])
    item = eventually(lambda: job.items.exclude(state__in=["queued", "running"]).first())
    assert item.state == ItemState.DONE
    assert AGENT not in {seen.headers["user-agent"] for seen in tiktok.seen("list")}
    assert f"the protocol pack {packs.NEWER} is not used" in worker.output


# --- manage.py fetch ------------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path: Path, proxy: FakeProxy) -> Shell:
    return Shell(tmp_path, proxy)


def test_a_run_by_itself_goes_by_a_file(shell: Shell, tiktok: FakeTikTok, tmp_path: Path) -> None:
    tiktok.account("alice").photo()
    file = tmp_path / "pack.json"
    file.write_bytes(packs.signed(be_somebody_else))
    done = shell.fetch(
        "@alice", "--protocol", str(file), env={"STORYKEEP_PROTOCOL_KEY": packs.PUBLIC_TEXT}
    )
    assert done.returncode == 0, done.stderr
    assert {seen.headers["user-agent"] for seen in tiktok.seen("list")} == {AGENT}
    assert sorted(path.name for path in shell.data.iterdir()) == ["secret-key"], "no database"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (packs.signed(), "its key is not trusted here"),
        (b"junk", "it is not JSON"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_is_refused_asks_nobody(
    shell: Shell, tiktok: FakeTikTok, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "pack.json"
    if content is not None:
        file.write_bytes(content)
    done = shell.fetch("@alice", "--protocol", str(file))
    assert done.returncode == 2
    assert said in done.stderr
    assert tiktok.requests == []
    assert not shell.out.exists()


# --- looking for a newer one ----------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_look_by_https_imports_what_is_newer(tmp_path: Path) -> None:
    envelope = packs.signed(be_somebody_else)

    async def publish(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(envelope))

    def look(**more: str) -> subprocess.CompletedProcess[str]:
        env = {
            **{name: value for name, value in os.environ.items() if "PYTEST" not in name},
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
            "STORYKEEP_DATABASE_URL": _database_url(),
            "STORYKEEP_PROTOCOL_URL": "https://packs.example.org/pack.json",
            "STORYKEEP_PROTOCOL_KEY": packs.PUBLIC_TEXT,
            **more,
        }
        return subprocess.run(
            [sys.executable, "manage.py", "protocol", "look"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    async with loopback(tmp_path, publish) as server:
        route = {"STORYKEEP_PROXY": server.proxy, "STORYKEEP_CA_BUNDLE": server.ca_path}
        first = await asyncio.to_thread(look, **route)
        again = await asyncio.to_thread(look, **route)
        astray = await asyncio.to_thread(look)
    assert (first.returncode, first.stdout) == (0, f"{packs.NEWER} is in use\n"), first.stderr
    assert (again.returncode, again.stdout) == (
        0,
        f"nothing newer: {packs.NEWER} is in use already\n",
    )
    assert (astray.returncode, astray.stdout) == (1, ""), astray.stderr
    assert "no answer" in astray.stderr
    assert server.connects == ["packs.example.org:443"] * 2

    def kept() -> list[tuple[str, bool, str]]:
        try:
            return list(ProtocolPack.objects.values_list("version", "active", "how"))
        finally:
            connections.close_all()

    assert await sync_to_async(kept)() == [(packs.NEWER, True, "address")]


# --- two at once ----------------------------------------------------------------------------------


def test_of_two_who_import_at_once_one_succeeds() -> None:
    envelope, both = packs.signed(), threading.Barrier(2)

    def store() -> str:
        try:
            both.wait(10)
            return str(protocol.store(envelope, PackOrigin.FILE).version)
        except PackRefused as error:
            return error.reason
        except protocol.PackChanged:
            return "same"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        outcomes = [future.result() for future in [pool.submit(store), pool.submit(store)]]
    assert sorted(outcomes) == [packs.NEWER, "same"]
    assert ProtocolPack.objects.filter(active=True).count() == 1

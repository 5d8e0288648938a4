"""Two hosts of one installation: what each has for itself, what they share, and how one is lost.

A host is an instance with folders and a name of its own. They share PostgreSQL, a Redis with a
port, an object store and the secret key, as docs/deploy.md says, and no disk.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
import redis

from jobs.files import disk
from jobs.queue import routing
from tests import buckets, postgres, seaweed
from tests.chaos import machine
from tests.chaos.conftest import prepare
from tests.chaos.instance import ROOT, Instance
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually
from tests.fake_tiktok.proxy import FakeProxy
from webapp import clock
from webapp.processes import redis_server

PREFIX: Final = "house"
MARK: Final = ".storykeep"
PROBE: Final = "work/probe"
OVER: Final = "storykeep:probe"
SWEEP_LATER: Final = """
import datetime, os
os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings_worker"
import django
django.setup()
from jobs.housekeeping import sweep
now = datetime.datetime.now(datetime.UTC)
print(sweep.sweep(now + sweep.ORPHAN_GRACE + datetime.timedelta(minutes=1), whole=True))
"""
"""A clean-up as it will be when what a lost worker left has had its time."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all hosts reach. settings: those that are the same on each, without their prefix."""

    endpoint: str
    redis_url: str
    settings: dict[str, str]

    @cached_property
    def _client(self) -> Any:
        return seaweed.client(self.endpoint)

    def objects(self) -> dict[str, int]:
        """Key, without the prefix → bytes of each object in the store."""
        pages = self._client.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=buckets.BUCKET, Prefix=f"{PREFIX}/")
        every = [each for page in found for each in page.get("Contents", [])]
        return {each["Key"].removeprefix(f"{PREFIX}/"): each["Size"] for each in every}

    def body(self, key: str) -> bytes:
        """An object's bytes."""
        asked = {"Bucket": buckets.BUCKET, "Key": f"{PREFIX}/{key}"}
        return bytes(self._client.get_object(**asked)["Body"].read())

    def put(self, key: str, body: bytes) -> None:
        """Store an object that has no row."""
        self._client.put_object(Bucket=buckets.BUCKET, Key=f"{PREFIX}/{key}", Body=body)

    def begun_uploads(self) -> list[Any]:
        """Uploads in pieces that nobody has ended."""
        answer = self._client.list_multipart_uploads(Bucket=buckets.BUCKET)
        return list(answer.get("Uploads", []))


@contextmanager
def shared(folder: Path) -> Iterator[Shared]:
    """A PostgreSQL, a Redis and an object store, with nothing in them. Skips the test without."""
    if seaweed.binary() is None:
        pytest.skip("there is no object store to run (make stores)")
    try:
        postgres.binaries()
    except SystemExit as missing:
        pytest.skip(str(missing))
    with ExitStack() as all_of_them:
        database = all_of_them.enter_context(postgres.cluster())
        redis_url = all_of_them.enter_context(_redis())
        (folder / "weed").mkdir()
        endpoint = all_of_them.enter_context(seaweed.running(folder / "weed"))
        yield Shared(
            endpoint=endpoint,
            redis_url=redis_url,
            settings={
                "database_url": database.url,
                "redis_url": redis_url,
                "secret_key": "the same on every host " * 3,
                "artifact_store": f"s3://{buckets.BUCKET}/{PREFIX}",
                "artifact_store_endpoint": endpoint,
                "artifact_store_key_id": seaweed.KEY_ID,
                "artifact_store_secret_key": seaweed.SECRET_KEY,
            },
        )


@contextmanager
def _redis() -> Iterator[str]:
    """The address of a Redis with a port."""
    port = machine.free_port()
    command = [redis_server.find().path, "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"

    def answers() -> bool:
        with suppress(redis.RedisError), redis.Redis.from_url(url) as asking:
            return bool(asking.ping())
        return False

    try:
        eventually(answers, what="Redis answers")
        yield url
    finally:
        server.kill()
        server.wait()


class Hosts:
    """All hosts of an installation: alice, bob and carol are its people. For a `with` block."""

    def __init__(self, folder: Path, proxy: FakeProxy, common: Shared) -> None:
        self.common = common
        self._folder, self._proxy = folder, proxy
        self._tokens: dict[str, str] = {}
        self._made: list[Instance] = []

    def __enter__(self) -> Hosts:
        return self

    def __exit__(self, *_: object) -> None:
        for host in self._made:
            host.remove()

    def add(self, name: str) -> Instance:
        """A host with empty folders, running and ready: web server, worker and a scheduler beside
        them. The first one makes the tables."""
        data = self._folder / name
        settings = self.common.settings | {"artifact_dir": str(self._folder / f"{name}-files")}
        if not self._tokens:
            self._tokens = prepare(data, self._proxy, root=ROOT, **settings)
        host = Instance(data, self._proxy, self._tokens, root=ROOT, host=name, **settings)
        self._made.append(host)
        host.start()
        host.begin("up", "--only", "scheduler")
        return host


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The moment in which a host was lost. in_hand, elsewhere: rows of the lines that it worked on,
    and others did. done: how many lines were done."""

    in_hand: list[dict[str, Any]]
    elsewhere: list[dict[str, Any]]
    done: int


def lose(host: Instance) -> Lost:
    """Kill every process of a host at once, and take away all it had."""
    everyone = host.stand_still()
    with host.redis() as server:
        told: Any = server.hgetall("storykeep:processes")
    workers = {f"worker-{pid}" for pid in everyone}
    ids = {json.loads(text)["id"] for name, text in told.items() if name.split("@")[0] in workers}
    running = host.database.rows("SELECT * FROM jobs_item WHERE state = 'running'")
    done = host.database.count("jobs_item", "state = 'done'")
    host.cut_power()
    for folder in (host.folder, host.artifacts):
        shutil.rmtree(folder)
    assert len(ids) == 1, told
    in_hand = [row for row in running if row["holder"].rpartition(".")[2] in ids]
    elsewhere = [row for row in running if row not in in_hand]
    return Lost(in_hand=in_hand, elsewhere=elsewhere, done=done)


class BucketLedger(Ledger):
    """The book of an installation whose files are in an object store. instance: a host that lives.

    common: what the hosts share. waiting: how many objects nobody knew of before the last clean-up.
    """

    common: Shared
    waiting = 0

    def check_disk(self) -> None:
        """Each row has its object and each object its row, whole, once the time of what a lost host
        left is over; the host's own folder holds no file."""
        present = {file["id"]: file for file in self._present()}
        wanted = {f"{name[:2]}/{name}" for name in present}
        before = self.common.objects().keys() - wanted - {MARK, PROBE}
        self.waiting = len(before)
        for shard in disk.SHARDS:  # as if it had stored one in each folder a moment before its end
            self.common.put(f"{shard}/{shard}{str(uuid4())[2:]}", b"nobody knows of it")
        done = subprocess.run(
            [sys.executable, "-c", SWEEP_LATER],
            cwd=self.instance.root,
            env=self.instance.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        objects = self.common.objects()
        differs = (objects.keys() - {PROBE}) ^ (wanted | {MARK})
        assert not differs, (differs & wanted, differs - wanted, before, done.stdout)
        assert {file["id"] for file in self._present()} == present.keys()
        for name, row in present.items():
            body = self.common.body(f"{name[:2]}/{name}")
            digest = hashlib.sha256(body).hexdigest()
            assert (len(body), digest) == (row["size_bytes"], row["sha256"]), name
        assert self.common.begun_uploads() == []
        assert self.instance.files() == {}
        left = list((self.instance.artifacts / "work").glob("*"))
        assert not left, left


class Browser:
    """Somebody with a browser, signed in, who may be led to another host at any time."""

    def __init__(self, host: Instance, name: str) -> None:
        self.host, self.name = host, name
        self._client = httpx.Client(timeout=60)
        link = host.manage("signin-link", name).strip()
        path = urlsplit(link).path
        self._client.get(f"{host.url}{path}")
        assert self._post(path).headers["Location"] == "/"

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def _post(self, path: str, **fields: str) -> httpx.Response:
        fields["csrfmiddlewaretoken"] = self._client.cookies["csrftoken"]
        answer = self._client.post(f"{self.host.url}{path}", data=fields)
        assert answer.status_code == 302, (answer.status_code, answer.text[:2000])
        return answer

    def get(self, path: str) -> httpx.Response:
        """The answer to a page's address, without following it elsewhere."""
        return self._client.get(f"{self.host.url}{path}")

    def form(self) -> str:
        """The number that the form of the first page is sent with, so that it counts once."""
        found = re.search(r'name="once" value="([^"]+)"', self.get("/").text)
        assert found, "nobody is signed in"
        return found[1]

    def paste(self, lines: list[str], once: str) -> str:
        """Send the form of the first page; the id of the job it leads to."""
        answer = self._post("/", text="\n".join(lines), once=once)
        found = re.fullmatch(r"/jobs/([0-9a-f-]+)/", answer.headers["Location"])
        assert found, answer.headers["Location"]
        return found[1]


class SentByClocks:
    """Counts the messages that all clocks together send. For a `with` block."""

    def __init__(self, instance: Instance) -> None:
        self.sent: Counter[str] = Counter()
        self.seconds = 0.0
        self._instance = instance
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> SentByClocks:
        self._thread.start()
        assert self._begun.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        with self._instance.redis() as server:
            server.set(OVER, "over", ex=5)
        self._thread.join()

    def _listen(self) -> None:
        with redis.Redis.from_url(self._instance.redis_url) as server, server.monitor() as monitor:
            self._begun.set()
            began = None
            for command in monitor.listen():
                text, at = str(command["command"]), float(command["time"])
                began = at if began is None else began
                self.seconds = at - began
                if text.startswith(f"SET {OVER} over"):
                    return
                if text.startswith(f"LPUSH {routing.SIDE_QUEUE} "):
                    for task in routing.HOUSEKEEPING:
                        self.sent[task] += task in text

    def check(self) -> None:
        """Assert that they sent no more than one would, and that the reaper was sent for."""
        for task, every_s in clock.EVERY_S.items():
            most = 1 + self.seconds / (clock.LEASE_SHARE * every_s)
            assert self.sent[task] <= most, (task, self.sent, self.seconds)
        assert self.sent[routing.REPAIR]

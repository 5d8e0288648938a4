"""What was asked of an instance, what has to come of it, and whether that is so after a fault.

The check knows nothing of the fault: what is promised is the outcome there would be without it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.chaos.instance import Instance
from tests.chaos.machine import eventually
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.accounts import Account

HOUR_S = 3600
PROGRESS_TTL_S = 2 * HOUR_S
FROM_THE_START = "bytes=0-"
QUEUES = ("celery", "aside", "unacked", "unacked_index")
LASTING = frozenset(
    {
        *("storykeep:workers", "storykeep:swept", "storykeep:processes", "storykeep:scrub"),
        "storykeep:log",
    }
)
"""Keys that are no job's, hold one entry for each process, one, or so many lines, and stay."""


@dataclass
class Asked:
    """One job. lines: the accounts it names. owner: who submitted it."""

    owner: str
    job_id: str
    lines: list[Account]


@dataclass
class Ledger:
    """All jobs of an instance that are to be there in the end, and those that were forgotten."""

    instance: Instance
    tiktok: FakeTikTok
    jobs: list[Asked] = field(default_factory=list)
    forgotten: list[Asked] = field(default_factory=list)

    def submit(self, owner: str, *accounts: Account, key: str = "") -> Asked:
        """Have a person ask for accounts, through the API."""
        names = [f"@{account.name}" for account in accounts]
        job_id = self.instance.people[owner].submit(names, key=key)
        self.jobs.append(Asked(owner, job_id, list(accounts)))
        return self.jobs[-1]

    def forget(self, asked: Asked) -> None:
        """Have its owner forget a job."""
        self.jobs.remove(asked)
        self.forgotten.append(asked)
        self.instance.people[asked.owner].forget(asked.job_id)

    def show(self, asked: Asked) -> dict[str, Any]:
        """A job as its owner sees it."""
        return self.instance.people[asked.owner].job(asked.job_id)

    def settled(self, *asked: Asked, within: float = 90) -> None:
        """Wait until these jobs, or all of them, are over."""
        for each in asked or tuple(self.jobs):
            eventually(
                lambda each=each: self.show(each)["settled_at"],  # type: ignore[misc]
                within,
                lambda each=each: self._what_is_open(each),  # type: ignore[misc]
            )

    def _what_is_open(self, asked: Asked) -> str:
        lines = self.instance.database.rows(
            "SELECT line, state, attempt, tries, error_code, not_before, sent_at, heartbeat_at"
            " FROM jobs_item WHERE state IN ('queued', 'running')"
        )
        log = self.instance.output[-6000:]
        return "\n".join([asked.job_id, *(str(line) for line in lines), log])

    # --- the check ------------------------------------------------------------------------------

    def check(self, *, refetched: int = 0) -> None:
        """Assert that everything is as it would be without a fault.

        refetched: how often a file may have been asked for beyond the once it takes.
        """
        self.settled()
        for asked in self.jobs:
            self.check_job(asked)
        self.check_rows()
        self.check_disk()
        self.check_usage()
        self.check_redis()
        self.check_requests(refetched)

    def check_job(self, asked: Asked) -> None:
        """Every line is done, with every file of its stories, and the bytes are TikTok's."""
        shown = self.show(asked)
        assert shown["state"] == "done", (shown["state"], self._errors(shown))
        assert [item["line"] for item in shown["items"]] == [f"@{a.name}" for a in asked.lines]
        person = self.instance.people[asked.owner]
        for item, account in zip(shown["items"], asked.lines, strict=True):
            assert (item["state"], item["error"]) == ("done", None), item
            files = [file for story in item["stories"] for file in story["files"]]
            media = [file for file in files if "poster" not in file["labels"]]
            served = {hashlib.sha256(f.body).hexdigest() for s in account.stories for f in s.files}
            assert Counter(file["sha256"] for file in media) == Counter(served), account.name
            for file in files:
                assert person.digest_of(file) == (file["size_bytes"], file["sha256"])

    @staticmethod
    def _errors(shown: dict[str, Any]) -> list[Any]:
        return [(i["line"], i["state"], i["error"]) for i in shown["items"] if i["error"]]

    def check_rows(self) -> None:
        """No claim is left, nothing stands twice, and nothing of a forgotten job is there."""
        rows = self.instance.database.rows
        kept = {asked.job_id for asked in self.jobs}
        eventually(
            lambda: {row["id"] for row in rows("SELECT id FROM jobs_job")} == kept,
            what="forgotten jobs are gone",
        )
        items = rows("SELECT id, job_id, state, fetch_key, settled_at FROM jobs_item")
        assert {item["job_id"] for item in items} <= kept
        assert not [i for i in items if i["fetch_key"] or not i["settled_at"]]
        open_zips = "SELECT id FROM jobs_package WHERE state IN ('queued', 'running')"
        eventually(lambda: not rows(open_zips), what="ZIPs are packed")
        stories = rows("SELECT item_id, tiktok_id, state FROM jobs_story")
        assert {story["state"] for story in stories} <= {"done"}
        _assert_once((story["item_id"], story["tiktok_id"]) for story in stories)
        files = self._present()
        _assert_once((f["story_id"], f["role"], f["position"]) for f in files if f["story_id"])
        _assert_once((file["job_id"], file["name"]) for file in files)

    def _present(self) -> list[dict[str, Any]]:
        return self.instance.database.rows(
            "SELECT a.*, u.username FROM jobs_artifact a JOIN auth_user u ON u.id = a.owner_id"
            " WHERE removed_at IS NULL"
        )

    def check_disk(self) -> None:
        """Each row has its bytes; after a sweep no other file is there, finished or not.

        What a killed worker left waits for a quarter of an hour; here it is made that old.
        """
        present = {file["id"]: file for file in self._present()}
        long_ago = time.time() - HOUR_S
        for file_id, path in self.instance.files().items():
            if file_id not in present:
                os.utime(path, (long_ago, long_ago))
        for path in (self.instance.artifacts / "work").glob("*"):
            os.utime(path, (long_ago, long_ago))
        self.instance.manage("sweep")
        files = self.instance.files()
        assert files.keys() == present.keys()
        for file_id, path in files.items():
            body = path.read_bytes()
            row = present[file_id]
            assert len(body) == row["size_bytes"], path
            assert hashlib.sha256(body).hexdigest() == row["sha256"], path
        left = list((self.instance.artifacts / "work").glob("*"))
        assert not left, left

    def check_usage(self) -> None:
        """What each person is told they use is what there is."""
        files = self._present()
        for name, person in self.instance.people.items():
            used = person.usage()
            assert used["active_items"] == 0
            asked = [*self.jobs, *self.forgotten]
            assert used["items_per_day"] == sum(len(a.lines) for a in asked if a.owner == name)
            sizes = [file["size_bytes"] for file in files if file["username"] == name]
            assert used["stored_bytes"] == sum(sizes)

    def check_redis(self) -> None:
        """Queues are empty, and a job's keys go by themselves within their time."""
        with self.instance.redis() as server:

            def left() -> dict[str, str]:
                return {key: str(server.type(key)) for key in QUEUES if server.exists(key)}

            eventually(lambda: not left(), 30, lambda: left())
            lives = {str(key): int(server.ttl(key)) for key in server.scan_iter("storykeep:*")}
            for asked in self.forgotten:
                # A worker that had not heard of it yet may have told how far it was.
                told = str(server.hgetall(f"storykeep:progress:{asked.job_id}"))
                assert not [a.name for a in asked.lines if a.name in told]
        for key, seconds in lives.items():
            if key.startswith("storykeep:progress:"):
                assert 0 < seconds <= PROGRESS_TTL_S, key
                UUID(key.rpartition(":")[2])
            assert seconds != -1 or key in LASTING, f"{key} never goes"

    def check_requests(self, refetched: int) -> None:
        """No file was begun more often than the fault costs; nobody but TikTok was asked."""
        times = Counter(
            (seen.where.item, seen.where.position, seen.where.gear)
            for endpoint in ("video", "picture")
            for seen in self.tiktok.seen(endpoint, method="GET")
            if seen.headers.get("range", FROM_THE_START).startswith(FROM_THE_START)
        )
        wanted = {f.item for a in self.tiktok.accounts.values() for s in a.stories for f in s.files}
        assert {item for item, *_ in times} <= wanted
        needed = len(times)
        assert sum(times.values()) - needed <= refetched, times.most_common(10)
        assert self.tiktok.strays == []


def _assert_once(keys: Any) -> None:
    twice = [key for key, times in Counter(keys).items() if times > 1]
    assert not twice, twice

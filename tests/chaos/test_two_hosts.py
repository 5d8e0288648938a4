"""Two hosts that share no disk: one is lost with all it had, in the middle of the work of three."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from jobs.ephemeral.heartbeats import REAP_EVERY_S
from jobs.queue.claims import LEASE
from tests.chaos.conftest import Report
from tests.chaos.hosts import Browser, BucketLedger, Hosts, Lost, SentByClocks, lose, shared
from tests.chaos.instance import Instance
from tests.chaos.ledger import Asked
from tests.chaos.machine import eventually, on_host
from tests.fake_tiktok import FakeTikTok, media
from tests.fake_tiktok.accounts import Account
from tests.fake_tiktok.iso_boxes import padded
from tests.fake_tiktok.proxy import FakeProxy

pytestmark = pytest.mark.timeout(900)

LINES: Final = 200
COMMON: Final = 20
"""So many of them ask for an account that somebody else asks for at the same time."""
VIDEO_EACH: Final = 4
"""Every so many accounts have a video beside their photo."""
MOST_FILES: Final = 2
"""An account has no more."""
SLOWLY: Final = 12_000
"""Bytes a second of a file while both hosts work: some seconds for each."""
DONE_BEFORE: Final = 50
"""So many lines are done when the host is lost."""
IN_HAND: Final = 8
"""At least so many it has in hand then; it takes twenty at once."""
SETTLED_WITHIN_S: Final = LEASE.total_seconds() + 2 * REAP_EVERY_S + 120
"""A lease, two looks of the reaper, and the work itself on a busy machine."""


@pytest.fixture
def tiktok(media_folder: object) -> FakeTikTok:
    """Small pages: what is tried here is not their size."""
    return FakeTikTok(page_bytes=60_000)


@pytest.fixture
def hosts(folder: Path, proxy: FakeProxy) -> Iterator[Hosts]:
    """What hosts share, and none of them yet."""
    with shared(folder) as common, Hosts(folder, proxy, common) as made:
        yield made


def populate(tiktok: FakeTikTok, count: int) -> list[Account]:
    """Accounts of which no two have equal files, so that what is served to one is told apart."""
    video = media.video(1)
    accounts = [tiktok.account(f"author{number}") for number in range(count)]
    for number, account in enumerate(accounts):
        account.photo(size=(90, 160), min_bytes=25_000 + number)
        if number % VIDEO_EACH == 0:
            account.video(seconds=1, bodies=[padded(video, 100 + number)])
    assert set(digests(accounts).values()) == {1}
    return accounts


def digests(accounts: Sequence[Account]) -> Counter[str]:
    """The files that TikTok serves of accounts, by what is in them."""
    stories = [story for account in accounts for story in account.stories]
    return Counter(hashlib.sha256(file.body).hexdigest() for s in stories for file in s.files)


def lines_of(accounts: Sequence[Account]) -> list[str]:
    return [f"@{account.name}" for account in accounts]


def workers(host: Instance) -> dict[str, int]:
    """How many there are and should be, as a host that is ready says."""
    answer = httpx.get(f"{host.url}/health/ready", timeout=30)
    assert answer.status_code == 200, answer.text
    counted: dict[str, int] = answer.json()["workers"]
    return counted


class House:
    """The installation and its three people, each with a browser and a script."""

    def __init__(self, hosts: Hosts, tiktok: FakeTikTok, around: ExitStack) -> None:
        self.tiktok, self._accounts = tiktok, populate(tiktok, LINES - COMMON)
        self.left, self.right = hosts.add("left"), hosts.add("right")
        self.ledger = BucketLedger(self.right, tiktok)
        self.ledger.common = hosts.common
        self.alice = around.enter_context(Browser(self.left, "alice"))
        self.bob = around.enter_context(Browser(self.right, "bob"))
        self.carol = around.enter_context(Browser(self.left, "carol"))
        self._lines = iter(self._accounts)

    def next(self, count: int) -> list[Account]:
        """Accounts that nobody has asked for yet."""
        return [next(self._lines) for _ in range(count)]

    def paste(self, browser: Browser, accounts: list[Account], once: str = "") -> Asked:
        """Have somebody paste lines on the page. once: of a form that was opened before."""
        job_id = browser.paste(lines_of(accounts), once or browser.form())
        return self._asked(browser.name, job_id, accounts)

    def send(self, host: Instance, owner: str, accounts: list[Account], key: str) -> Asked:
        """Have somebody's script send lines."""
        job_id = host.people[owner].submit(lines_of(accounts), key=key)
        return self._asked(owner, job_id, accounts)

    def _asked(self, owner: str, job_id: str, accounts: list[Account]) -> Asked:
        known = [each for each in self.ledger.jobs if each.job_id == job_id]
        if not known:
            self.ledger.jobs.append(Asked(owner, job_id, accounts))
        return known[0] if known else self.ledger.jobs[-1]

    def lose_left(self) -> Lost:
        """Kill that host in the middle of the work, with much in its hands."""
        done = "state = 'done'"
        eventually(
            lambda: self.right.database.count("jobs_item", done) >= DONE_BEFORE,
            150,
            lambda: self.left.output[-3000:] + self.right.output[-3000:],
        )
        lost = lose(self.left)
        assert len(lost.in_hand) >= IN_HAND, self.left.output[-3000:]
        assert not self.left.folder.exists()
        assert not self.left.artifacts.exists()
        return lost

    def check_packages(self) -> None:
        """Each job's ZIP, packed and served by the host that lives, has every file once."""
        for asked in self.ledger.jobs:
            person = self.ledger.instance.people[asked.owner]
            person.insist("POST", f"/jobs/{asked.job_id}/bundle")
            bundle: dict[str, Any] = eventually(
                lambda asked=asked: self.ledger.show(asked)["bundle"],  # type: ignore[misc]
                90,
                lambda: self.ledger.instance.output[-3000:],
            )
            body = person.body_of(bundle)
            assert hashlib.sha256(body).hexdigest() == bundle["sha256"]
            with zipfile.ZipFile(io.BytesIO(body)) as pack:
                names = pack.namelist()
                assert len(names) == len(set(names))
                packed = Counter(hashlib.sha256(pack.read(name)).hexdigest() for name in names)
            wanted = digests(asked.lines)
            assert {digest: packed[digest] for digest in wanted} == wanted

    def check_lost(self, lost: Lost) -> None:
        """What was in the lost host's hands was done once more elsewhere; nothing else was."""
        rows = self.right.database.rows("SELECT * FROM jobs_item")
        assert len(rows) == LINES
        after = {row["id"]: row for row in rows}
        for row in lost.in_hand:
            now = after[row["id"]]
            assert (now["state"], now["attempt"]) == ("done", row["attempt"] + 1), now
            assert now["holder"] != row["holder"]
        for row in lost.elsewhere:
            assert after[row["id"]]["attempt"] == row["attempt"], row


def test_one_of_two_hosts_is_lost_with_all_it_had(
    hosts: Hosts, tiktok: FakeTikTok, report: Report
) -> None:
    """Nothing that was on it is needed, by those who were signed in there neither."""
    with ExitStack() as around:
        house = House(hosts, tiktok, around)
        left, right, ledger = house.left, house.right, house.ledger
        alice, bob, carol = house.alice, house.bob, house.carol
        if on_host("left"):
            eventually(lambda: workers(right) == {"alive": 2, "wanted": 2}, what="both count")
        tiktok.fault("media", "slow", bytes_per_s=SLOWLY)
        with SentByClocks(right) as clocks:
            form = alice.form()
            of_alice = house.paste(alice, house.next(50), form)
            house.send(right, "alice", house.next(30), "a")
            house.paste(bob, of_alice.lines[:COMMON] + house.next(40 - COMMON))
            of_bob = house.send(left, "bob", house.next(30), "b")
            house.paste(carol, house.next(25))
            lost = house.lose_left()
            lost_at = time.monotonic()
            tiktok.faults.clear()

            # Who was signed in there is here; what was sent there and is sent again counts once.
            for browser in (alice, carol):
                browser.host = right
                assert browser.get("/history/").status_code == 200
            assert house.paste(alice, of_alice.lines, form) is of_alice
            assert house.send(right, "bob", of_bob.lines, "b") is of_bob
            house.paste(carol, house.next(15))
            house.send(right, "carol", house.next(10), "c")
            ledger.settled(within=SETTLED_WITHIN_S)
            took = time.monotonic() - lost_at
        clocks.check()
        house.check_packages()
        ledger.check(refetched=MOST_FILES * len(lost.in_hand))
        house.check_lost(lost)
        if on_host("left"):
            eventually(lambda: workers(right) == {"alive": 1, "wanted": 1}, what="one is left")
        report(
            f"{LINES} lines on two hosts, one lost when {lost.done} were done",
            f"{len(lost.in_hand)} in its hand and {len(lost.elsewhere)} in the other's; "
            f"all done {took:.0f} s later, {ledger.waiting} objects nobody knew of; "
            f"four clocks in {clocks.seconds:.0f} s: {dict(clocks.sent)}",
        )

        # A new machine in its place finds all it needs with the others.
        new = hosts.add("new")
        alice.host = new
        assert alice.get(f"/jobs/{of_alice.job_id}/").status_code == 200
        ledger.instance = new
        ledger.submit("alice", tiktok.accounts["author0"])
        ledger.settled()
        for asked in ledger.jobs:
            ledger.check_job(asked)
        assert "Traceback" not in right.output + new.output

"""Several people at one instance: everyone gets a turn, and nobody gets more than their share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from jobs.errors import QuotaExceeded
from jobs.models import Item, Job, Quota, Role
from jobs.queue import quotas, submission
from jobs.states import ItemState
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import Start, eventually
from tests.integration.test_queue import check_disk, settled, states, submit

S = ItemState
THREADS = 4
"""What `start_worker` gives a worker."""


def photos(tiktok: FakeTikTok, prefix: str, count: int) -> list[str]:
    names = [f"{prefix}{number}" for number in range(count)]
    for name in names:
        tiktok.account(name).photo(min_bytes=30_000)
    return names


def test_one_line_does_not_wait_for_somebody_elses_forty(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    many, single = photos(tiktok, "many", 40), photos(tiktok, "one", 1)
    tiktok.fault("picture", "slow", bytes_per_s=60_000)
    start_worker().ready()
    alice = submit(*many)
    eventually(lambda: alice.items.filter(state=S.RUNNING).count() == THREADS)
    bob = submit(*single, owner="bob")
    settled(bob)
    item = bob.items.get()
    assert item.state == S.DONE
    before = alice.items.filter(claimed_at__gt=bob.created_at, claimed_at__lt=item.claimed_at)
    assert before.count() <= THREADS  # whose threads had chosen when Bob came
    assert alice.items.filter(state=S.QUEUED).count() > 40 - 4 * THREADS
    tiktok.faults.clear()
    settled(alice, within=60)
    assert set(states(alice)) == {S.DONE}
    check_disk()


def test_two_batches_advance_side_by_side(start_worker: Start, tiktok: FakeTikTok) -> None:
    alices, bobs = photos(tiktok, "hers", 16), photos(tiktok, "his", 16)
    tiktok.fault("picture", "slow", bytes_per_s=100_000)
    alice = submit(*alices)
    bob = submit(*bobs, owner="bob")
    start_worker().ready()
    settled(alice, within=60), settled(bob, within=60)
    order = Item.objects.order_by("claimed_at").values_list("owner__username", flat=True)
    ahead = 0
    for name in order:
        ahead += 1 if name == "alice" else -1
        # She came first, with a window full of messages; then it is turn about.
        assert abs(ahead) <= THREADS + 1


def test_submitting_at_the_same_moment_gets_no_more_in() -> None:
    alice = make_user("alice")
    Quota.objects.create(owner=alice, active_items=3)

    def send(number: int) -> bool:
        try:
            submission.submit(alice, [f"@someone{number}"])
        except QuotaExceeded:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(send, range(8)))
    assert sum(sent) == Job.objects.count() == Item.objects.count() == 3


def test_what_would_be_over_the_quota_is_not_fetched(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    author = tiktok.account("sample.user")
    author.photo(min_bytes=20_000)
    author.video(min_bytes=400_000)
    Quota.objects.create(owner=make_user("alice"), stored_bytes=200_000)
    start_worker().ready()
    job = settled(submit("sample.user"))
    (item,) = job.items.all()
    assert (item.state, item.error_code) == (S.PARTIAL, "quota_exceeded")
    done, failed = item.stories.order_by("position")
    assert (done.state, failed.state) == (S.DONE, S.FAILED)
    assert failed.error_code == "quota_exceeded"
    assert job.artifacts.filter(role=Role.MEDIA).count() == 1
    assert quotas.usage(make_user("alice")).stored_bytes.used <= 200_000
    other = settled(submit("sample.user", owner="bob"))
    assert states(other) == [S.DONE]
    check_disk()

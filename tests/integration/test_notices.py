"""From a job that settles to what arrives: over real HTTP, by real processes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.utils import timezone

from jobs.models import Item
from jobs.queue import broker, routing, settling, submission
from jobs.queue.claims import Claim
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from notices import apprise_child, channels, delivering, outbox, planning, vapid, webhooks
from notices.channels import AddressRefused
from notices.delivering import Outside
from notices.kinds import DeliveryState, Kind, Reason
from notices.models import Channel, Delivery, Message, Preference
from notices.outbox import News
from notices.wire import NotSent
from notices.wording import Text
from tests.factories import make_artifact, make_item, make_story, make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import Start, eventually
from tests.receivers import lead_to, receiving, resolve_publicly
from tests.unit.notices.receiving import Browser
from webapp.sending import Sender

ENDPOINT = "https://updates.push.services.mozilla.com/wpush/v2/abc"


@pytest.fixture(autouse=True)
def _fresh_key(settings: Any) -> Any:
    path = Path(settings.STORYKEEP.data_dir) / vapid.KEY_FILE
    path.unlink(missing_ok=True)
    yield
    path.unlink(missing_ok=True)


def settle_a_job() -> Item:
    """One that has saved two files of @cats, as a worker settles it."""
    item = make_item(name="cats", author_name="cats", state=ItemState.RUNNING)
    story = make_story(item)
    for _ in range(2):
        make_artifact(story)
    settling.finish(Claim(item.pk, item.attempt), Outcome(ItemState.DONE))
    return item


def test_a_browser_is_told_of_a_job_that_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(ENDPOINT)
    browser.subscribe(make_user())
    item = settle_a_job()
    assert planning.plan(timezone.now()) == 1
    with receiving(["updates.push.services.mozilla.com"], tmp_path) as service:
        lead_to(service, monkeypatch)
        with Sender(service.ca_path, resolve_publicly) as sender:
            outside = Outside(post=sender.post, contact="me@example.org")
            assert delivering.deliver(outside) == 1
            assert delivering.deliver(outside) == 0
    [taken] = service.taken
    assert taken.path == "/wpush/v2/abc"
    assert taken.headers["topic"] == item.job_id.hex
    assert 7100 < int(taken.headers["ttl"]) <= 7200
    content = json.loads(browser.decrypt(taken.body))
    assert content["web_push"] == 8030
    assert content["notification"]["title"] == "2 files saved from @cats"
    assert content["notification"]["navigate"] == (
        f"https://stories.example.org/jobs/{item.job_id}/"
    )


def in_threads(count: int, work: Callable[[], Any]) -> None:
    """Run it so often at the same time."""
    start = threading.Barrier(count)

    def run() -> None:
        start.wait()
        try:
            work()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_four_workers_at_once_send_each_message_once() -> None:
    owners = [make_user(f"member{number}") for number in range(6)]
    with receiving() as receiver:
        hosts = (f"127.0.0.1:{receiver.port}",)
        for number, owner in enumerate(owners):
            Preference.objects.create(owner=owner)
            webhooks.put(owner.pk, f"http://{hosts[0]}/{number}", hosts)
            item = make_item(name="cats", state=ItemState.RUNNING)
            item.job.owner = item.owner = owner
            item.job.save()
            item.save()
            make_artifact(make_story(item))
            settling.finish(Claim(item.pk, item.attempt), Outcome(ItemState.DONE))

        def work() -> None:
            with Sender(None) as sender:
                outside = Outside(post=sender.post, webhook_hosts=hosts)
                for _ in range(3):
                    planning.plan(timezone.now())
                    delivering.deliver(outside)

        in_threads(4, work)
    assert sorted(taken.path for taken in receiver.taken) == [f"/{n}" for n in range(6)]
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.SENT}


def test_a_receiver_that_says_nothing_keeps_one_thread_and_the_other_serves_the_rest() -> None:
    slow, quick = make_user("slow"), make_user("quick")
    with receiving() as silent, receiving() as receiver:
        hosts = (f"localhost:{silent.port}", f"127.0.0.1:{receiver.port}")
        silent.answering.clear()
        for owner, host in zip((slow, quick), hosts, strict=True):
            Preference.objects.create(owner=owner)
            webhooks.put(owner.pk, f"http://{host}/hook", hosts)

        def test(owner: User, key: str) -> None:
            outbox.add(News(owner_id=owner.pk, kind=Kind.TEST, key=key, facts={"way": "webhook"}))
            planning.plan(timezone.now())

        def deliver() -> None:
            try:
                with Sender(None) as sender:
                    delivering.deliver(Outside(post=sender.post, webhook_hosts=hosts))
            finally:
                connections.close_all()

        for number in range(3):
            test(slow, f"slow:{number}")
        thread = threading.Thread(target=deliver)
        thread.start()
        eventually(lambda: Delivery.objects.filter(leased_until__isnull=False).exists())
        test(quick, "quick")
        deliver()  # as the other thread: it comes back with nobody left but who is in hand
        assert thread.is_alive()
        assert (len(silent.taken), len(receiver.taken)) == (0, 1)
        assert Delivery.objects.filter(owner=slow, tries=0).count() == 2
        silent.answering.set()
        thread.join()
        deliver()  # should its turn have been over
    assert len(silent.taken) == 3


def test_a_webhook_can_be_checked_by_whoever_has_its_secret() -> None:
    owner = make_user()
    Preference.objects.create(owner=owner)
    with receiving() as receiver:
        hosts = (f"127.0.0.1:{receiver.port}",)
        secret = webhooks.put(owner.pk, f"http://{hosts[0]}/hook", hosts)
        settle_a_job()
        planning.plan(timezone.now())
        receiver.statuses = [500, 204]
        with Sender(None) as sender:
            outside = Outside(post=sender.post, webhook_hosts=hosts)
            assert delivering.deliver(outside) == 0
            later = timezone.now() + timedelta(minutes=1)
            assert delivering.deliver(outside, lambda: later) == 1
    first, second = receiver.taken
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    for taken in (first, second):
        signed = b".".join(
            [
                taken.headers["webhook-id"].encode(),
                taken.headers["webhook-timestamp"].encode(),
                taken.body,
            ]
        )
        key = base64.b64decode(secret.removeprefix("whsec_"))
        mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert taken.headers["webhook-signature"] == f"v1,{mac}"
    assert json.loads(second.body)["messages"][0]["count"] == 2


# --- workers, as `manage.py up` starts them -------------------------------------------------------


def watched_hook(hosts: tuple[str, ...]) -> None:
    """Alice has a webhook there."""
    alice = make_user("alice")
    Preference.objects.create(owner=alice)
    webhooks.put(alice.pk, f"http://{hosts[0]}/hook", hosts)


def save(name: str, tiktok: FakeTikTok) -> None:
    """Alice pastes an account with one photo, it is saved, and messages are looked for at once."""
    tiktok.account(name).photo()
    submission.submit(make_user("alice"), [f"@{name}"], options=submission.Options())
    eventually(Message.objects.exists)
    broker.send_periodic(routing.SEND_NOTICES)


def test_two_workers_tell_of_a_job_once(start_worker: Start, tiktok: FakeTikTok) -> None:
    with receiving() as receiver:
        receiver.statuses = [200]
        hosts = (f"127.0.0.1:{receiver.port}",)
        watched_hook(hosts)
        for worker in [start_worker(STORYKEEP_WEBHOOK_HOSTS=hosts[0]) for _ in range(2)]:
            worker.ready()
        save("cats", tiktok)
        eventually(lambda: receiver.taken)
        for _ in range(3):
            broker.send_periodic(routing.SEND_NOTICES)
        eventually(lambda: Delivery.objects.filter(state=DeliveryState.SENT).exists())
    assert len(receiver.taken) == 1
    content = json.loads(receiver.taken[0].body)
    assert content["title"] == "1 file saved"
    assert "cats" not in receiver.taken[0].body.decode()


def test_a_worker_that_is_killed_while_it_sends_is_made_up_for(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    with receiving() as receiver:
        receiver.statuses = [200]
        hosts = (f"127.0.0.1:{receiver.port}",)
        watched_hook(hosts)
        receiver.answering.clear()  # it takes what is sent, and does not say so yet
        first = start_worker(STORYKEEP_WEBHOOK_HOSTS=hosts[0]).ready()
        save("cats", tiktok)
        in_hand = Delivery.objects.filter(tries=1, leased_until__isnull=False)
        eventually(in_hand.exists)
        first.kill()
        receiver.answering.set()
        start_worker(STORYKEEP_WEBHOOK_HOSTS=hosts[0]).ready()
        in_hand.update(leased_until=timezone.now())  # three minutes later
        broker.send_periodic(routing.SEND_NOTICES)
        eventually(lambda: Delivery.objects.filter(state=DeliveryState.SENT).exists())
    ids = {taken.headers["webhook-id"] for taken in receiver.taken}
    assert len(ids) == 1  # a receiver that knows it takes it once
    assert Delivery.objects.get().tries == 2


# --- Apprise, in its process ----------------------------------------------------------------------


def channel(address: str) -> Channel:
    row = Channel(name="Family")
    channels.set_address(row, address)
    row.save()
    return row


def test_a_channel_sends_by_apprise_and_names_its_member() -> None:
    with receiving() as receiver:
        receiver.statuses = [200]
        row = channel(f"json://storykeep:hush@127.0.0.1:{receiver.port}/to/{{user}}")
        channels.send(row, Text(title="2 files saved", body="Kept until 18:00."), user="a/b c")
    assert row.scheme == "json"
    assert "hush" not in row.address
    [taken] = receiver.taken
    assert taken.path.rstrip("/") == "/to/a%2Fb%20c"
    content = json.loads(taken.body)
    assert (content["title"], content["message"]) == ("2 files saved", "Kept until 18:00.")
    assert taken.headers["authorization"] == (
        "Basic " + base64.b64encode(b"storykeep:hush").decode()
    )


def test_a_channel_that_refuses_is_told() -> None:
    with receiving() as receiver:
        receiver.statuses = [500]
        row = channel(f"json://127.0.0.1:{receiver.port}/")
        with pytest.raises(NotSent) as caught:
            channels.send(row, Text(title="a", body="b"), user="alice")
    assert caught.value.reason == Reason.NO_ANSWER


def test_a_channel_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "SEND_S", 4.0)
    with receiving() as receiver:
        row = channel(f"json://127.0.0.1:{receiver.port}/")
        receiver.answering.clear()
        with pytest.raises(NotSent) as caught:
            channels.send(row, Text(title="a", body="b"), user="alice")
    assert caught.value.reason == Reason.TOO_SLOW
    assert "127.0.0.1" not in repr(caught.value.__cause__)


@pytest.mark.parametrize("address", ["nothing-of-that-name://x", "json://"])
def test_an_address_that_apprise_does_not_know_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        channel(address)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ntfys://ntfy.example.org/family", apprise_child.SENT),
        ("nothing-of-that-name://hush", apprise_child.NO_ADDRESS),
    ],
)
def test_the_child_looks_at_an_address_and_sends_nothing(url: str, code: int) -> None:
    assert channels._run({"url": url}) == code

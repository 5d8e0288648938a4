"""Push messages in a real Chromium: turned on in a tap, shown by the site's own service worker.

No push service is reached from here: `PushManager` alone is played, the keys are real ones, and
what arrives is what the server makes, handed to the worker by the browser itself. Chromium without
windows shows no notifications, so this is the whole one.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect

from notices import push_message
from notices.wording import Text
from tests.browser.conftest import (
    CHROMIUM,
    CHROMIUM_ARGS,
    DEVICES,
    NAME,
    PASSWORD,
    Stack,
    Witness,
    sideways,
    skip_without,
)
from tests.browser.test_main_path import paste, settle, until
from tests.unit.notices.receiving import Browser as Receiver

ENDPOINT = "https://nobody.push.services.mozilla.com/wpush/v2/browser-test"
LAN = "storykeep.lan"
"""A name of this machine that is no secure context without TLS."""

PLAYED = """
(() => {
  const told = TOLD;
  const KEY = "played-subscription";
  const made = (key) => ({
    endpoint: told.endpoint,
    options: {userVisibleOnly: true, applicationServerKey: Uint8Array.from(key).buffer},
    toJSON: () => told,
    unsubscribe: async () => { localStorage.removeItem(KEY); return true; },
  });
  window.asked = [];
  PushManager.prototype.subscribe = async (options) => {
    asked.push("subscribe");
    const key = [...new Uint8Array(options.applicationServerKey)];
    if (!options.userVisibleOnly || key.length !== 65 || key[0] !== 4) throw new Error("key");
    localStorage.setItem(KEY, JSON.stringify(key));
    return made(key);
  };
  PushManager.prototype.getSubscription = async () => {
    const key = JSON.parse(localStorage.getItem(KEY));
    return key && made(key);
  };
  const real = Notification.requestPermission.bind(Notification);
  Notification.requestPermission = () => {
    asked.push(navigator.userActivation.isActive ? "permission" : "permission without a tap");
    localStorage.setItem("asked", JSON.stringify(asked));
    return real();
  };
})();
"""
"""A push service for one page. asked: what the page asked for since it was loaded."""

CLICK = """
async (address) => {
  const opened = [];
  clients.openWindow = async (url) => { opened.push(url); };
  const [notification] = await registration.getNotifications();
  if (address) Object.defineProperty(notification, "data", {value: {navigate: address}});
  const event = new NotificationEvent("notificationclick", {notification});
  const waited = [];
  event.waitUntil = (promise) => waited.push(promise);
  dispatchEvent(event);
  await Promise.all(waited);
  return opened;
}
"""
"""The worker's own handler, as with a tap on the notification: which pages it opens."""

RENEW = """
async ([old, made]) => {
  const subscription = (told) => ({...told, toJSON: () => told});
  const event = new ExtendableEvent("pushsubscriptionchange");
  Object.defineProperty(event, "oldSubscription", {value: old && subscription(old)});
  Object.defineProperty(event, "newSubscription", {value: subscription(made)});
  const waited = [];
  event.waitUntil = (promise) => waited.push(promise);
  dispatchEvent(event);
  await Promise.all(waited);
}
"""
"""The worker's own handler, as when a push service gives a subscription up."""

Device = Callable[..., Page]


@pytest.fixture(scope="module")
def whole_chromium(chromium: Browser) -> Iterator[Browser]:
    """Chromium with all its parts: the one without windows denies every notification."""
    skip_without(CHROMIUM)
    browser = chromium.browser_type.launch(
        executable_path=CHROMIUM,
        args=[*CHROMIUM_ARGS, "--headless=new", f"--host-resolver-rules=MAP {LAN} 127.0.0.1"],
    )
    yield browser
    browser.close()


@pytest.fixture
def device(whole_chromium: Browser, stack: Stack, witness: Witness) -> Iterator[Device]:
    """Signs in on a new phone, which may show notifications unless `permission` says otherwise."""
    contexts: list[BrowserContext] = []

    def make(*, url: str = stack.url, permission: str = "granted", **more: Any) -> Page:
        context = whole_chromium.new_context(**DEVICES["phone"] | {"base_url": url} | more)
        contexts.append(context)
        page = context.new_page()
        witness.watch(page, url)
        if url == stack.url:
            session = page.context.browser.new_browser_cdp_session()  # type: ignore[union-attr]
            where = {"origin": url, "browserContextId": _context_id(page)}
            session.send(
                "Browser.setPermission",
                {"permission": {"name": "notifications"}, "setting": permission, **where},
            )
        page.goto("/login/")
        page.fill("#id_username", NAME)
        page.fill("#id_password", PASSWORD)
        page.click("main button")
        page.wait_for_url(f"{url}/")
        return page

    yield make
    for context in contexts:
        context.close()
    with sqlite3.connect(stack.folder / "data" / "storykeep.sqlite3", timeout=20) as database:
        database.execute("DELETE FROM notices_pushsubscription")
    witness.check()


def _context_id(page: Page) -> str:
    """The browser's own name for the context of a page."""
    session = page.context.new_cdp_session(page)
    told = session.send("Target.getTargetInfo")
    session.detach()
    return str(told["targetInfo"]["browserContextId"])


def rows(stack: Stack, question: str) -> list[Any]:
    """What the instance's database answers."""
    with sqlite3.connect(
        f"file:{stack.folder}/data/storykeep.sqlite3?mode=ro", uri=True
    ) as database:
        return database.execute(question).fetchall()


@pytest.fixture
def receiver() -> Receiver:
    """The keys of this browser's subscription."""
    return Receiver(ENDPOINT)


def played(page: Page, receiver: Receiver) -> None:
    """From the next page on, there is a push service."""
    page.add_init_script(PLAYED.replace("TOLD", json.dumps(receiver.told())))


def test_it_is_turned_on_in_a_tap_alone_and_the_server_knows_the_device(
    device: Device, stack: Stack, receiver: Receiver
) -> None:
    page = device()
    played(page, receiver)
    page.goto("/account/notifications/")
    on = page.get_by_role("button", name="Turn on for this device")
    expect(on).to_be_visible()
    page.evaluate("navigator.serviceWorker.ready")
    assert page.evaluate("asked") == []  # allowed before, and still nothing is asked for
    assert rows(stack, "SELECT 1 FROM notices_pushsubscription") == []
    on.tap()
    expect(page.locator(".row", has_text="this device")).to_contain_text("Chrome")
    expect(page.get_by_text("Notifications are on for this device.")).to_be_visible()
    expect(on).to_be_hidden()
    assert page.evaluate("localStorage.asked") == '["permission"]'
    ((endpoint, p256dh, auth, base),) = rows(
        stack, "SELECT endpoint, p256dh, auth, base FROM notices_pushsubscription"
    )
    keys = receiver.told()["keys"]
    assert (endpoint, p256dh, auth) == (ENDPOINT, keys["p256dh"], keys["auth"])
    assert base == f"{stack.url}/"

    page.get_by_role("button", name="Send a test").first.tap()
    said = page.get_by_role("status")
    expect(said).to_contain_text("The test is")  # on its way, or tried once more
    expect(said).to_be_in_viewport()
    page.evaluate("window.marked = true")
    expect(said).to_contain_text("The test failed", timeout=90_000)  # no network, so nobody answers
    assert page.evaluate("window.marked")
    assert rows(stack, "SELECT 1 FROM notices_message WHERE kind = 'test'")

    # The phone's page says the same, and a device that is removed can be turned on again.
    page.goto("/phone/")
    expect(page.get_by_text("Notifications are on for this device.")).to_be_visible()
    page.goto("/account/notifications/")
    page.locator(".row", has_text="this device").get_by_role("button", name="Remove").tap()
    expect(on).to_be_visible()
    expect(page.locator(".row", has_text="this device")).to_have_count(0)


def test_a_subscription_that_is_made_anew_takes_the_place_of_the_old_one(
    device: Device, stack: Stack, receiver: Receiver
) -> None:
    page = device()
    played(page, receiver)
    page.goto("/account/notifications/")
    page.evaluate("navigator.serviceWorker.ready")
    page.get_by_role("button", name="Turn on for this device").tap()
    expect(page.locator(".row", has_text="this device")).to_be_visible()
    fresh = Receiver(f"{ENDPOINT}-anew")
    (worker,) = page.context.service_workers
    worker.evaluate(RENEW, [None, fresh.told()])  # nobody knows whose it was
    assert rows(stack, "SELECT endpoint FROM notices_pushsubscription") == [(ENDPOINT,)]
    worker.evaluate(RENEW, [receiver.told(), fresh.told()])
    keys = fresh.told()["keys"]
    assert rows(stack, "SELECT endpoint, p256dh FROM notices_pushsubscription") == [
        (fresh.endpoint, keys["p256dh"])
    ]


def worker_session(page: Page, stack: Stack) -> tuple[CDPSession, str]:
    """A session that may speak with service workers, and the id of the site's own."""
    session = page.context.new_cdp_session(page)
    found: list[dict[str, Any]] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(event["registrations"]),
    )
    session.send("ServiceWorker.enable")
    for _ in range(100):
        for registration in found:
            if registration["scopeURL"] == f"{stack.url}/" and not registration["isDeleted"]:
                return session, registration["registrationId"]
        page.wait_for_timeout(50)
    raise AssertionError(found)


SHOWN = "navigator.serviceWorker.ready.then((there) => there.getNotifications())"


def shown(page: Page) -> list[dict[str, Any]]:
    """The notifications that the site shows at the moment."""
    facts = "({title, body, lang, tag, data}) => ({title, body, lang, tag, data})"
    notifications: list[dict[str, Any]] = page.evaluate(f"{SHOWN}.then((all) => all.map({facts}))")
    return notifications


def test_a_message_is_shown_by_the_worker_and_opens_its_job(device: Device, stack: Stack) -> None:
    page = device()
    paste(page, "@harbour.bakery")
    settle(page)
    job = page.url
    page.goto("/account/notifications/")
    page.evaluate("navigator.serviceWorker.ready")
    session, registration = worker_session(page, stack)

    def deliver(data: str) -> None:
        session.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": stack.url, "registrationId": registration, "data": data},
        )

    def message(title: str, body: str) -> str:
        return push_message.payload(
            Text(title=title, body=body), navigate=job, tag="bakery", language="de"
        ).decode()

    deliver(message("7 Dateien von @harbour.bakery gesichert", "Wird bis 18:00 behalten."))
    until(page, f"{SHOWN}.then((all) => all.length === 1)")
    assert shown(page) == [
        {
            "title": "7 Dateien von @harbour.bakery gesichert",
            "body": "Wird bis 18:00 behalten.",
            "lang": "de",
            "tag": "bakery",
            "data": {"navigate": job},
        }
    ]
    # A newer one takes its place.
    deliver(message("8 Dateien", "Nun sind es acht."))
    until(page, f"{SHOWN}.then(([one]) => one.title === '8 Dateien')")
    assert len(shown(page)) == 1

    (worker,) = page.context.service_workers
    assert worker.evaluate(CLICK, "https://evil.example/") == [f"{stack.url}/"]
    deliver(message("8 Dateien", "Nun sind es acht."))
    until(page, f"{SHOWN}.then((all) => all.length === 1)")
    opened = worker.evaluate(CLICK, "")
    assert opened == [job]
    until(page, f"{SHOWN}.then((all) => all.length === 0)")
    page.goto(opened[0])
    settle(page)
    expect(page.locator("main")).to_contain_text("harbour.bakery")

    # What cannot be read is shown as well, for a browser counts what is not.
    for data in ("no json", "null", '{"notification": null}', "[]"):
        deliver(data)
        until(page, f"{SHOWN}.then(([one]) => one?.title === 'Storykeep')")
        page.evaluate(f"{SHOWN}.then((all) => all.forEach((one) => one.close()))")
        until(page, f"{SHOWN}.then((all) => all.length === 0)")


@pytest.mark.parametrize("place", ["/account/notifications/", "/phone/"])
def test_where_it_is_not_possible_the_page_says_why(
    place: str, device: Device, stack: Stack, witness: Witness, receiver: Receiver
) -> None:
    witness.expected.append("Cross-Origin-Opener-Policy")  # without TLS it is ignored
    page = device(permission="denied")
    played(page, receiver)
    page.goto(place)
    expect(page.get_by_text("Notifications from this site are blocked.")).to_be_visible()
    expect(page.locator("[data-push-on]")).to_be_hidden()

    page = device()
    page.add_init_script("delete Navigator.prototype.serviceWorker")
    page.goto(place)
    expect(page.get_by_text("This browser takes no push messages.")).to_be_visible()
    expect(page.locator("[data-push-on]")).to_be_hidden()

    page.add_init_script("Object.defineProperty(navigator, 'standalone', {value: false})")
    page.goto(place)
    expect(page.get_by_text("add Storykeep to the Home Screen first")).to_be_visible()

    page = device(url=stack.url.replace("localhost", LAN))
    page.goto(place)
    assert page.evaluate("isSecureContext") is False
    expect(page.get_by_text("browsers take push messages over https alone")).to_be_visible()
    expect(page.locator("[data-push]")).to_have_count(0)
    assert sideways(page) <= 0


def test_a_permission_that_is_denied_in_the_tap_is_said(device: Device, receiver: Receiver) -> None:
    page = device()
    played(page, receiver)
    page.add_init_script(
        """let state = "default";
        Object.defineProperty(Notification, "permission", {get: () => state});
        Notification.requestPermission = async () => (state = "denied");"""
    )
    page.goto("/account/notifications/")
    page.get_by_role("button", name="Turn on for this device").tap()
    expect(page.get_by_text("Notifications from this site are blocked.")).to_be_visible()
    expect(page.locator("[data-push-on]")).to_be_hidden()
    assert page.evaluate("asked") == []


def test_a_subscription_that_the_server_refuses_is_said(
    device: Device, stack: Stack, witness: Witness
) -> None:
    witness.expected.append("422")
    page = device()
    played(page, Receiver("https://push.example.org/not-a-known-service"))
    page.goto("/account/notifications/")
    page.get_by_role("button", name="Turn on for this device").tap()
    expect(page.get_by_role("alert")).to_contain_text("That did not work.")
    expect(page.locator("[data-push-on]")).to_be_enabled()
    assert rows(stack, "SELECT 1 FROM notices_pushsubscription") == []


def test_without_a_script_it_is_said_what_is_needed(device: Device) -> None:
    page = device(java_script_enabled=False)
    page.goto("/account/notifications/")
    expect(page.get_by_text(re.compile("Turning it on needs JavaScript"))).to_be_visible()
    expect(page.locator("[data-push-on]")).to_be_hidden()

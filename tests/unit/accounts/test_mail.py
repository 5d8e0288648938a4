"""A forgotten password, by mail: through a real server, to addresses known to be theirs."""

from __future__ import annotations

import email
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core import mail as django_mail
from django.core.cache import cache
from django.test import Client
from pydantic import SecretStr

from accounts import mail, people, signin
from tests.factories import make_user

pytestmark = pytest.mark.django_db
FRESH = "correct horse 42"
LINK = re.compile(r"https://stories\.example\.org(/\S+)")


class Server:
    """A mail server of this machine, and what arrived there."""

    def __init__(self) -> None:
        self.arrived: list[EmailMessage] = []
        self.signed_in: list[bytes] = []
        self.refuses = False

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuses:
            return "554 no"
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.arrived.append(message)
        return "250 OK"

    def knows(self, *given: Any) -> AuthResult:
        login = given[-1]
        assert isinstance(login, LoginPassword)
        self.signed_in.append(login.login)
        return AuthResult(success=login.password == b"p@ss")

    def receivers(self) -> list[str]:
        """The receivers of all mail that arrived."""
        self.texts()
        return [str(message["To"]) for message in self.arrived]

    def texts(self) -> list[str]:
        """All that arrived, once nothing is on its way any more."""
        for thread in threading.enumerate():
            if thread.name == "mail":
                thread.join(10)
        return [message.get_content() for message in self.arrived]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    found = trustme.CA()
    found.cert_pem.write_to_path(tmp_path / "ca.pem")
    return found


@pytest.fixture
def sends(
    server: Server,
    authority: trustme.CA,
    tmp_path: Path,
    settings: Any,
    set_env: Callable[..., None],
) -> Iterator[Callable[..., None]]:
    """`sends("smtps")`: set the instance up to hand mail to the server that way."""
    started: list[Controller] = []

    def start(scheme: str = "smtp", *, trusted: bool = True) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        with socket.socket() as probe:  # the library cannot do with port 0
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        controller = Controller(
            server,
            hostname="127.0.0.1",
            port=port,
            ssl_context=context if scheme == "smtps" else None,
            tls_context=context if scheme == "smtp+tls" else None,
            require_starttls=scheme == "smtp+tls",
            auth_required=scheme == "smtp+tls",
            authenticator=server.knows,
        )
        controller.start()
        started.append(controller)
        set_env(
            public_url="https://stories.example.org",
            email_url=SecretStr(f"{scheme}://me:p%40ss@127.0.0.1:{port}"),
            ca_bundle=tmp_path / "ca.pem" if trusted else None,
        )
        box = settings.STORYKEEP.mail
        assert "p@ss" not in repr(box)
        settings.EMAIL_BACKEND = "accounts.mail.SmtpBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = box.host, box.port
        if scheme == "smtp+tls":
            settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = box.user, box.password
        settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = box.starttls, box.tls
        settings.EMAIL_TIMEOUT = 5
        settings.DEFAULT_FROM_EMAIL = "Storykeep <stories@example.org>"

    yield start
    for controller in started:
        controller.stop()


@pytest.fixture
def alice() -> User:
    """A member who has shown that alice@example.org is hers."""
    user = make_user("alice")
    signin.set_email(user, "Alice@example.org")
    return user


def ask(client: Client, address: str, **more: Any) -> Any:
    return client.post("/password/", {"email": address}, **more)


def path_in(text: str) -> str:
    (path,) = LINK.findall(text)
    return str(path)


@pytest.mark.parametrize("scheme", ["smtp", "smtp+tls", "smtps"])
def test_from_the_question_to_a_new_password(
    client: Client, alice: User, server: Server, sends: Callable[..., None], scheme: str
) -> None:
    sends(scheme)
    assert b"/password/" in client.get("/login/").content
    assert ask(client, "alice@EXAMPLE.org").headers["Location"] == "/password/sent/"
    assert client.get("/password/sent/").status_code == 200
    (text,) = server.texts()
    assert "alice" in text
    (message,) = server.arrived
    assert str(message["From"]) == "Storykeep <stories@example.org>"
    assert str(message["To"]) == "alice@example.org"
    assert server.signed_in == ([b"me"] if scheme == "smtp+tls" else [])
    path = path_in(text)
    reader = Client()
    form = reader.get(path, follow=True).redirect_chain[-1][0]
    reader.post(form, {"password1": FRESH, "password2": FRESH})
    assert Client().login(username="alice", password=FRESH)
    assert b"no longer works" in Client().get(path, follow=True).content


def test_the_mail_is_in_the_readers_language(
    client: Client, alice: User, server: Server, sends: Callable[..., None]
) -> None:
    sends()
    ask(client, "alice@example.org", headers={"Accept-Language": "de"})
    (text,) = server.texts()
    assert "Passwort" in text
    assert "Passwort" in str(server.arrived[0]["Subject"])


@pytest.mark.parametrize("address", ["bob@example.org", "carol@example.org", "dave@example.org"])
def test_a_stranger_and_an_unproven_address_get_the_same_answer_and_no_mail(
    client: Client, alice: User, server: Server, sends: Callable[..., None], address: str
) -> None:
    sends()
    bob, dave = make_user("bob"), make_user("dave")
    EmailAddress.objects.create(user=bob, email="bob@example.org")
    User.objects.filter(pk=bob.pk).update(email="bob@example.org")
    signin.set_email(dave, "dave@example.org")
    people.block(dave)
    known, other = ask(client, "alice@example.org"), ask(client, address)
    assert (known.status_code, known.headers["Location"], known.content) == (
        other.status_code,
        other.headers["Location"],
        other.content,
    )
    assert server.receivers() == ["alice@example.org"]


@pytest.mark.parametrize("address", ["", "alice", "a\r\nBcc: x@example.org", "a" * 400 + "@x.org"])
def test_what_is_no_address_comes_back(
    client: Client, server: Server, sends: Callable[..., None], address: str
) -> None:
    sends()
    answer = ask(client, address)
    assert answer.status_code == 200
    assert answer.context["form"].errors["email"]
    assert not server.texts()


def test_a_host_header_does_not_get_into_the_link(
    client: Client, alice: User, server: Server, sends: Callable[..., None], settings: Any
) -> None:
    sends()
    settings.ALLOWED_HOSTS = ["*"]
    ask(client, "alice@example.org", headers={"Host": "evil.example.net"})
    (text,) = server.texts()
    assert LINK.search(text)
    assert "evil" not in text


def test_few_mails_to_one_address(
    client: Client, alice: User, server: Server, sends: Callable[..., None]
) -> None:
    sends()
    answers = [ask(client, "alice@example.org").status_code for _ in range(5)]
    assert answers == [302, 302, 302, 429, 429]
    refused = ask(client, " Alice@example.org")
    assert 3590 <= int(refused["Retry-After"]) <= 3600
    assert "Wait 1\u00a0hour, then try again." in refused.content.decode()
    assert len(server.texts()) == 3


@pytest.mark.parametrize("how", ["refused", "gone", "not trusted"])
def test_a_mail_server_that_will_not(
    client: Client,
    alice: User,
    server: Server,
    sends: Callable[..., None],
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    sends("smtps" if how == "not trusted" else "smtp", trusted=how != "not trusted")
    server.refuses = how == "refused"
    if how == "gone":
        settings.EMAIL_PORT = 1
    assert ask(client, "alice@example.org").status_code == 302
    assert not server.texts()
    (said,) = [record.getMessage() for record in caplog.records if record.name == "accounts.mail"]
    assert "mail not sent" in said
    assert "alice" not in said
    assert mail.failed_at()


def test_a_mail_that_arrives_ends_what_was_wrong(
    client: Client, alice: User, server: Server, sends: Callable[..., None]
) -> None:
    sends("smtp")
    server.refuses = True
    ask(client, "alice@example.org")
    assert not server.texts()
    assert mail.failed_at()
    server.refuses = False
    ask(client, "alice@example.org")
    assert server.texts()
    assert mail.failed_at() is None


def test_too_many_at_once_are_dropped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go = threading.Event()
    monkeypatch.setattr(django_mail.EmailMessage, "send", lambda _self: go.wait(10))
    for _ in range(mail.MAX_CONCURRENT + 1):
        mail.send_in_background(django_mail.EmailMessage())
    assert sum("dropped" in record.getMessage() for record in caplog.records) == 1
    go.set()
    Server().texts()
    mail.send_in_background(django_mail.EmailMessage())
    Server().texts()
    assert sum("dropped" in record.getMessage() for record in caplog.records) == 1


class TestAnAddressOfMyOwn:
    """Shown by a link, changed by another, removed."""

    @pytest.fixture
    def bob(self, client: Client) -> User:
        user = make_user("bob")
        client.post("/login/", {"login": "bob", "password": "bobbob"})
        client.post("/account/confirm/", {"password": "bobbob"})
        return user

    def test_counts_once_its_link_was_opened(
        self, client: Client, bob: User, server: Server, sends: Callable[..., None]
    ) -> None:
        sends()
        assert b"/account/email/" in client.get("/account/").content
        given = {"email": "Bob@example.org", "action_add": ""}
        assert client.post("/account/email/", given).headers["Location"] == "/account/email/"
        ask(Client(), "bob@example.org")
        (text,) = server.texts()
        path = path_in(text)
        page = Client().get(path)
        assert b"bob@example.org" in page.content
        assert not EmailAddress.objects.filter(verified=True).exists()  # looking is not saying yes
        assert Client().post(path).headers["Location"] == "/account/email/"
        assert b"no longer works" in Client().get(path).content
        ask(Client(), "bob@example.org")
        assert len(server.texts()) == 2

    def test_the_old_one_holds_until_then(
        self, client: Client, bob: User, server: Server, sends: Callable[..., None]
    ) -> None:
        sends()
        signin.set_email(bob, "old@example.org")
        client.post("/account/email/", {"email": "new@example.org", "action_add": ""})
        (text,) = server.texts()  # one after the other: mails overtake each other
        ask(Client(), "old@example.org")
        assert server.receivers() == ["new@example.org", "old@example.org"]
        client.post(path_in(text))
        ask(Client(), "old@example.org")
        ask(Client(), "new@example.org")
        assert server.receivers()[2:] == ["new@example.org"]

    def test_can_be_removed(
        self, client: Client, bob: User, server: Server, sends: Callable[..., None]
    ) -> None:
        sends()
        signin.set_email(bob, "bob@example.org")
        client.post("/account/email/", {"email": "bob@example.org", "action_remove": ""})
        ask(Client(), "bob@example.org")
        assert not server.texts()
        bob.refresh_from_db()
        assert bob.email == ""

    def test_nobody_learns_whose_an_address_is(
        self, client: Client, bob: User, alice: User, server: Server, sends: Callable[..., None]
    ) -> None:
        sends()
        given = {"email": "alice@example.org", "action_add": ""}
        assert client.post("/account/email/", given).status_code == 302
        (text,) = server.texts()  # to Alice, who may open it, and then sees that it is no use
        assert b"no longer works" in Client().get(path_in(text)).content
        client.post(path_in(text))
        assert EmailAddress.objects.get(verified=True).user == alice

    def test_asks_who_it_is_when_that_was_long_ago(
        self, client: Client, bob: User, server: Server, sends: Callable[..., None]
    ) -> None:
        sends()
        found_open = Client()
        found_open.force_login(bob)
        answer = found_open.post("/account/email/", {"email": "b@example.org", "action_add": ""})
        assert answer.headers["Location"].startswith("/account/confirm/")
        assert not server.texts()


@pytest.mark.parametrize(
    "path", ["/password/", "/password/sent/", "/account/email/", "/account/email/x/"]
)
def test_without_a_mail_server_there_is_no_such_page(client: Client, path: str) -> None:
    client.force_login(make_user("alice"))
    assert client.get(path).status_code == 404
    assert b"/account/email/" not in client.get("/account/").content
    assert b"/password/" not in client.get("/account/confirm/").content.replace(
        b"/account/password/", b""
    )
    client.logout()
    assert client.get(path).status_code == 404
    assert b"/password/" not in client.get("/login/").content


def test_a_failure_is_told_by_every_web_process_until_the_server_in_the_settings_is_another_one(
    client: Client, alice: User, server: Server, sends: Callable[..., None], set_env: Any
) -> None:
    sends("smtp")
    server.refuses = True
    ask(client, "alice@example.org")
    assert not server.texts()
    assert isinstance(cache.get(mail._failure_key(), []), list), "where others find it"
    assert mail.failed_at()
    set_env(email_url=SecretStr("smtp://mended.example:25"))
    assert mail.failed_at() is None


@pytest.mark.parametrize("garbage", [[], [1e300], [float("nan")], [-1e18]])
def test_a_time_that_is_none_is_no_failure(garbage: list[float]) -> None:
    cache.set(mail._failure_key(), garbage, 60)
    assert mail.failed_at() is None

"""Everyone who may ask, everything there is to ask for, and what comes of it.

`Scenery` holds one person of each kind, with one of everything that belongs to alice. `Asker.ask`
sends one request as one of them and takes back what it did. The expected outcomes stand in
`access.txt`, whose head says what its columns mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from accounts import invitations, signin, tokens
from accounts.models import ApiToken, Invitation, Scope
from jobs.files import store
from jobs.files.workspace import Workspace
from jobs.models import AuthorPicture, Package, Watch, WatchedAccount
from jobs.pages import share_target
from jobs.states import ItemState
from notices.kinds import Way
from notices.models import Channel, Delivery, Preference
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

TABLE: Final = Path(__file__).with_name("access.txt")
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
OTHER_METHODS: Final = ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
"""What the method `*` of the table stands for, where they have no row of their own."""

API: Final = "api/v1/"
DAY: Final = timedelta(days=1)
PEOPLE: Final = ("anonymous", "member", "owner", "staff", "admin")
"""The columns of the pages."""
TOKENS: Final = ("none", "expired", "blocked", "read", "write", "foreign")
"""The columns of the API."""

OTHERS_ROWS: Final = re.compile(
    r"\b(?:INSERT INTO|UPDATE|DELETE FROM) "
    r'"?(?:jobs_|auth_user|accounts_|account_|mfa_|notices_|users)'
)
"""A statement that changes more than a session, a log or when a token was used."""

HARMLESS: Final = re.compile(r'SET "last_(?:used_at|login)"|WHERE 1 = 0$')
"""Notes of when a token was used; the probe of a database that may refuse to be written."""


# --- the table ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A route under a method: the outcome by column, and by right where staff with it get more."""

    route: str
    method: str
    outcomes: Mapping[str, str]
    rights: Mapping[str, str] = field(default_factory=dict)


def read_table(text: str) -> dict[tuple[str, str], Row]:
    """The rows by (route, method). Raises AssertionError for a line that is none."""
    rows: dict[tuple[str, str], Row] = {}
    columns: tuple[str, ...] = ()
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        if words[:2] == ["route", "method"]:
            columns = tuple(word for word in words[2:] if word != "rights")
            continue
        route, method, *rest = words
        route = "" if route == "/" else route
        assert len(rest) >= len(columns) > 0, line
        rights: dict[str, str] = dict(word.split("=") for word in rest[len(columns) :])
        outcomes = dict(zip(columns, rest, strict=False))
        for single in OTHER_METHODS if method == "*" else (method,):
            rows.setdefault((route, single), Row(route, single, outcomes, rights))
    return rows


def routes() -> dict[str, str]:
    """Every route of the URL configuration, with the name of its first view."""
    found: dict[str, str] = {}
    for route, name in _walk(get_resolver(), "", ()):
        found.setdefault(route, name)
    return found


def _walk(resolver: Any, prefix: str, spaces: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route, ":".join((*spaces, pattern.name or ""))
        else:
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from _walk(pattern, route, inner)


# --- who and what there is ------------------------------------------------------------------------


class Scenery:
    """Rows to ask for, all of alice's; people and tokens to ask as."""

    def __init__(self) -> None:
        self.alice, self.bob = make_user("alice"), make_user("bob")
        self.clerk = make_user("clerk", is_staff=True)
        self.boss = make_user("boss", is_staff=True, is_superuser=True)
        self.gone = make_user("gone")
        self.sessions = {
            name: _session(user)
            for name, user in {
                "member": self.bob,
                "owner": self.alice,
                "staff": self.clerk,
                "admin": self.boss,
                "blocked": self.gone,
            }.items()
        }
        yesterday = timezone.now() - timedelta(days=1)
        self.tokens = {
            "expired": tokens.create(self.alice, "old", yesterday),
            "blocked": tokens.create(self.gone, "gone"),
            "read": tokens.create(self.alice, "look", scope=Scope.READ),
            "write": tokens.create(self.alice, "all"),
            "foreign": tokens.create(self.bob, "all"),
        }
        User.objects.filter(pk=self.gone.pk).update(is_active=False)
        self._make_rows()
        self.rights = {
            f"{right.content_type.app_label}.{right.codename}": right
            for right in Permission.objects.select_related("content_type")
        }

    def _make_rows(self) -> None:
        self.job = make_job(self.alice, settled_at=timezone.now())
        self.item = make_item(self.job, name="nora", state=ItemState.DONE, author_id="1")
        self.story = make_story(self.item)
        self.file = make_artifact(self.story, name="nora.jpg", size_bytes=5)
        self.package = Package.objects.create(job=self.job, owner=self.alice)
        self.device = UserSession.objects.create(
            user=self.alice, ip="192.0.2.1", user_agent="Phone", session_key=_session(self.alice)
        )
        self.address = EmailAddress.objects.create(
            user=self.alice, email="alice@example.org", verified=True, primary=True
        )
        account = WatchedAccount.objects.create(name="wanda", tiktok_id="1")
        self.watch = Watch.objects.create(
            owner=self.alice, account=account, every_s=21600, renew_by=timezone.now() + DAY
        )
        AuthorPicture.objects.create(item=self.item, digest="d", picture=b"\xff\xd8")
        self.channel = Channel.objects.create(name="Family", address="sealed", scheme="ntfy")
        self.delivery = Delivery.objects.create(owner=self.alice, batch=self.job.pk, way=Way.PUSH)
        invitations.create(self.boss)
        self.invitation = Invitation.objects.get()
        self.untouched = self.rows_of_alice()

    def put_file(self) -> None:
        """Have the bytes of alice's file where they belong, whatever an earlier request did."""
        if store.size(self.file.pk) is None:
            with Workspace("scenery") as workspace:
                key, target = workspace.create()
                with target:
                    target.write(b"bytes")
                workspace.commit(key, self.file.pk)

    def rows_of_alice(self) -> list[Any]:
        """All that is hers or only an admin's, to see whether anything of it changed."""
        return [
            list(rows.order_by("pk").values_list())
            for rows in (
                self.job._meta.model._base_manager.filter(owner=self.alice),
                self.item._meta.model._base_manager.filter(owner=self.alice),
                self.story._meta.model._base_manager.filter(owner=self.alice),
                self.file._meta.model._base_manager.filter(owner=self.alice),
                Package._base_manager.filter(owner=self.alice),
                Watch.objects.filter(owner=self.alice),
                ApiToken.objects.filter(owner=self.alice).defer("last_used_at"),
                User.objects.exclude(pk=self.bob.pk).defer("last_login"),
                EmailAddress.objects.all(),
                Authenticator.objects.all(),
                UserSession.objects.filter(user=self.alice),
                Invitation.objects.all(),
                Channel.objects.all(),
                Preference.objects.filter(owner=self.alice),
                Delivery.objects.filter(owner=self.alice),
            )
        ]

    @cached_property
    def parts(self) -> dict[str, object]:
        """What stands for the `<…>` of a route: alice's, wherever something is somebody's."""
        user_id, key = signin.password_reset_path(self.alice).split("/")[-3:-1]
        return {
            "job_id": self.job.pk,
            "item_id": self.item.pk,
            "story_id": self.story.pk,
            "artifact_id": self.file.pk,
            "file_id": self.file.pk,
            "name": self.file.name,
            "package_id": self.package.pk,
            "watch_id": self.watch.pk,
            "token_id": ApiToken.objects.filter(owner=self.alice).latest("pk").pk,
            "invitation_id": self.invitation.pk,
            "session_id": self.device.pk,
            "user_id": self.alice.pk,
            "pk": 1,
            "code": "no_public_url",
            "token": "guessed",
            "secret": "guessed",
            "uidb36": user_id,
            "key": key,
            "content_type_id": ContentType.objects.get_for_model(User).pk,
            "object_id": self.alice.pk,
            "app_label": "jobs",
            "path": "nowhere",
            "url": "nowhere",
        }

    @cached_property
    def parts_by_route(self) -> dict[str, dict[str, object]]:
        """What stands for the same words under routes that begin so."""
        rows = {
            "job": self.job,
            "item": self.item,
            "story": self.story,
            "artifact": self.file,
            "package": self.package,
            "watch": self.watch,
        }
        return {
            "admin/system/ways/": {"name": "browser"},
            **{f"admin/jobs/{table}/": {"object_id": row.pk} for table, row in rows.items()},
            "admin/notices/channel/": {"object_id": self.channel.pk},
            "admin/notices/delivery/": {"object_id": self.delivery.pk},
            "share/": {"key": share_target.address(self.alice).split("/")[-2]},
            "account/email/": {"key": EmailConfirmationHMAC(self.address).key},
        }

    def address_of(self, route: str) -> str:
        """The path of a route, with alice's rows for its parts."""
        parts = dict(self.parts)
        for prefix, others in self.parts_by_route.items():
            if route.startswith(prefix):
                parts |= others
        plain = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route).strip("^$").replace("^", "")
        return "/" + re.sub(
            r"<(?:\w+:)?(\w+)>", lambda match: str(parts[match[1]]), plain.replace("$", "")
        )

    def form(self, route: str) -> dict[str, object]:
        """What a POST to a page holds: enough to do what the page is for."""
        table = re.fullmatch(r"admin/(?:jobs|auth)/(\w+)/", route)
        if table:
            action, row = {
                "job": ("purge_jobs", self.job),
                "item": ("purge_items", self.item),
                "artifact": ("purge_files", self.file),
                "watch": ("pause", self.watch),
                "user": ("block", self.alice),
            }.get(table[1], ("", self.job))
            return {"action": action, "_selected_action": str(row.pk), "confirmed": "yes"}
        return FORMS.get(route, {}) | (
            {"job": [str(self.job.pk)], "do": "forget"} if route == "history/chosen/" else {}
        )


FORMS: Final[dict[str, dict[str, object]]] = {
    "": {"text": "@nora"},
    "share/<int:user_id>/<str:key>/": {"text": "@nora"},
    "preferences/": {"theme": "dark"},
    "account/data/": {"what": "data"},
    "account/notifications/": {"save": "1", "own": "yes"},
    "account/tokens/": {"name": "n", "scope": "write", "days": "30"},
    "account/invitations/": {"role": "admin", "days": "7"},
    "jobs/<uuid:job_id>/extend/": {"hours": "8"},
    "watching/": {"line": "@nora"},
    "watching/<uuid:watch_id>/": {"what": "pause"},
    "admin/watching/": {"pause": "1", "confirmed": "yes"},
    "admin/diagnosis/": {"name": "not a name!"},
    "admin/system/backup/done/": {},
    "admin/system/ways/<slug:name>/switch/": {"off": "1"},
    "login/": {"login": "alice", "password": "wrong"},
    "password/": {"email": "nobody@example.org"},
}
"""Forms by route."""

BODIES: Final = {"jobs": '{"lines": ["@nora"]}', "watches": '{"name": "nora"}'}
"""What is sent to calls of the API, by route."""


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


# --- asking ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request. outcome: as in the table. wrote: statements that changed rows."""

    outcome: str
    response: Any
    wrote: tuple[str, ...]
    changed_alice: bool


class Asker:
    """Sends requests, each from the same beginning."""

    def __init__(self, scenery: Scenery) -> None:
        self.scenery = scenery
        self._client = Client(raise_request_exception=False)
        self._careful = Client(raise_request_exception=False, enforce_csrf_checks=True)

    def ask(
        self,
        route: str,
        method: str,
        *,
        session: str = "",
        token: str = "",
        rights: Iterable[str] = (),
        csrf: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and roll back what it did.

        session, token: whose, by the names of `Scenery`. rights: given to staff for this request.
        csrf: check forms as in production, though this one brings no token.
        """
        wrote: list[str] = []

        def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
            result = execute(sql, parameters, many, context)
            if OTHERS_ROWS.search(sql) and not HARMLESS.search(sql) and context["cursor"].rowcount:
                wrote.append(sql)
            return result

        client = self._careful if csrf else self._client
        client.cookies = SimpleCookie(
            {settings.SESSION_COOKIE_NAME: self.scenery.sessions[session]} if session else {}
        )
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {self.scenery.tokens[token]}"
        cache.clear()
        if "files/" in route or method == "POST":
            self.scenery.put_file()
        with transaction.atomic():
            if rights:
                self.scenery.clerk.user_permissions.set(
                    [self.scenery.rights[name] for name in rights]
                )
            with connection.execute_wrapper(note):
                response = self._send(client, route, method, sent)
                if response.streaming:
                    b"".join(response.streaming_content)
            changed = bool(wrote) and self.scenery.rows_of_alice() != self.scenery.untouched
            transaction.set_rollback(True)
        return Answer(outcome_of(response), response, tuple(wrote), changed)

    def _send(self, client: Client, route: str, method: str, headers: dict[str, str]) -> Any:
        address = self.scenery.address_of(route)
        if method in {"GET", "HEAD"}:
            return client.generic(method, address, headers=headers)
        if route.startswith(API):
            body = BODIES.get(route.removeprefix(API), "{}")
            return client.generic(method, address, body, "application/json", headers=headers)
        if method == "POST":
            return client.post(address, self.scenery.form(route), headers=headers)
        return client.generic(method, address, headers=headers)


def outcome_of(response: Any) -> str:
    """A status; or `login` and `confirm` for a redirect to where one signs in, or does so again."""
    where = urlsplit(response.headers.get("Location", "")).path
    if where in {"/login/", "/admin/login/"}:
        return "login"
    if where in {"/account/confirm/", "/account/security/reauthenticate/"}:
        return "confirm"
    return str(response.status_code)

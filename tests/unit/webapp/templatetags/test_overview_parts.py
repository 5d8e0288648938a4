"""The overview's parts from other pages: problems with their fix, and who uses the disk."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from jobs.models import Quota
from jobs.ops.findings import Finding, Verdict
from jobs.ops.problems import Facts
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.ops.instances import stand_in_for_redis
from webapp import problems
from webapp.templatetags import overview_parts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def redis(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Redis says to the dashboard."""
    return stand_in_for_redis(monkeypatch)


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Facts:
    """An instance without a problem."""
    now = timezone.now()
    good = Facts(now=now, public_url="https://keep.example", backed_up_at=now)
    monkeypatch.setattr(problems, "memory", problems.Memory(lambda: good))
    return good


def browser_of(name: str, *rights: str, **facts: Any) -> Client:
    """A browser of staff with these rights of `jobs`, or of an admin."""
    user = make_user(name, is_staff=True, **facts)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def overview(browser: Client) -> str:
    answer = browser.get("/admin/")
    assert answer.status_code == 200
    return answer.content.decode().replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.usefixtures("facts")
def test_it_is_calm_when_there_is_nothing_to_fix() -> None:
    page = overview(browser_of("root", is_superuser=True))
    assert "Everything is fine." in page
    assert "to-fix" not in page


def test_the_first_problems_and_where_they_are_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = tuple(
        Finding(part=part, verdict=Verdict.WARN, message="so it is", hint=hint)
        for part, hint in (("disk", "Delete files."), ("scheduler", ""), ("queue", "Wait."))
    )
    ill = Facts(now=timezone.now(), findings=findings, begun_at=timezone.now())
    monkeypatch.setattr(problems, "memory", problems.Memory(lambda: ill))
    page = overview(browser_of("root", is_superuser=True))
    assert "<b>Files cannot be saved.</b> Delete files." in page
    assert page.count('<li class="warn">') == overview_parts.PROBLEMS_SHOWN
    assert ">2 more problems<" in page  # the others: no address is set, and it is http
    assert page.count(">Run a diagnosis<") == 1


def test_what_the_headline_says_is_not_said_twice(
    redis: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    redis["heard"] = {}
    found = Finding(part="worker", verdict=Verdict.FAIL, message="none", hint="Start a worker.")
    now = timezone.now()
    ill = Facts(now=now, findings=(found,), public_url="https://keep.example", backed_up_at=now)
    monkeypatch.setattr(problems, "memory", problems.Memory(lambda: ill))
    page = overview(browser_of("root", is_superuser=True))
    assert page.count("No worker is online: nothing is being saved") == 1
    assert "Start a worker." in page


def test_a_problem_among_others_has_its_title(
    redis: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    redis["heard"] = {}
    findings = tuple(
        Finding(part=part, verdict=Verdict.FAIL, message="none", hint="Start it.")
        for part in ("redis", "worker")
    )
    ill = Facts(now=timezone.now(), findings=findings, public_url="https://keep.example")
    monkeypatch.setattr(problems, "memory", problems.Memory(lambda: ill))
    page = overview(browser_of("root", is_superuser=True))
    assert "<b>Redis does not work.</b> Start it." in page
    assert "<b>No worker is online: nothing is being saved.</b> Start it." in page


@pytest.mark.usefixtures("facts")
def test_who_uses_the_disk_and_their_limit() -> None:
    for number in range(7):
        person = make_user(f"person{number}")
        story = make_story(make_item(make_job(person), state="done"))
        make_artifact(story, content=b"x", size_bytes=1_000_000 * (number + 1))
    Quota.objects.create(owner=User.objects.get(username="person6"), stored_bytes=14_000_000)
    Quota.objects.create(owner=User.objects.get(username="person5"), stored_bytes=0)
    page = overview(browser_of("root", is_superuser=True))
    shown = re.findall(r"<bdi>(person\d)</bdi></a>", page)
    assert shown == [f"person{number}" for number in (6, 5, 4, 3, 2)]
    assert "7.0 MB of 14.0 MB" in page
    assert re.findall(r'name="stored_bytes" value="(\w*)"', page) == ["14MB", "0", "", "", ""]


@pytest.mark.usefixtures("facts")
def test_people_are_for_admins_alone() -> None:
    make_user("alice")
    page = overview(browser_of("clerk", "view_operations", "view_item"))
    assert "Who uses the disk" not in page
    assert "alice" not in page

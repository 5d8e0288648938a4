"""The account's pages about data: what goes is said first, and it is mine alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts import people, tokens
from accounts.models import ApiToken
from jobs.models import Artifact, Job
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    """A member."""
    return make_user("alice")


def confirmed(user: User, client: Client | None = None) -> Client:
    """Their browser, in which they have just said who they are."""
    client = client or Client()
    client.force_login(user)
    client.post("/account/confirm/", {"password": user.username * 2})
    return client


@pytest.fixture
def browser(alice: User) -> Client:
    """Alice's."""
    return confirmed(alice)


@pytest.mark.parametrize("path", ["/account/", "/account/tokens/", "/account/data/"])
def test_strangers_are_asked_to_sign_in(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/login/?next={path}"


class TestMyData:
    def stock(self, owner: User) -> Job:
        """A job with a file, and one that is under way."""
        job = make_job(owner)
        story = make_story(make_item(job, state=ItemState.DONE))
        make_artifact(story, content=b"x" * 2000)
        make_item(make_job(owner), state=ItemState.RUNNING)
        return job

    def test_what_goes_is_said_first(self, browser: Client, alice: User) -> None:
        self.stock(alice)
        tokens.create(alice, "phone")
        text = browser.get("/account/data/").content.decode().replace("\xa0", " ")
        assert "2 jobs" in text
        assert "1 file, 2 kB" in text
        assert "1 API token" in text
        assert Job.objects.count() == 2

    def test_what_i_saved_goes_and_i_stay(
        self, browser: Client, alice: User, artifacts: Path
    ) -> None:
        self.stock(alice)
        bob = make_user("bob")
        self.stock(bob)
        tokens.create(alice, "phone")
        assert browser.post("/account/data/", {"what": "data"}).status_code == 302
        assert set(Job.objects.values_list("owner", flat=True)) == {bob.pk}
        left = [path for path in artifacts.glob("*/*") if path.is_file()]
        assert len(left) == Artifact.objects.count() == 1
        assert ApiToken.objects.count() == 1
        assert browser.get("/account/data/").status_code == 200

    def test_everything_goes_with_the_account(
        self, browser: Client, alice: User, artifacts: Path
    ) -> None:
        self.stock(alice)
        other = Client()
        other.force_login(alice)
        token = tokens.create(alice, "phone")
        answer = browser.post("/account/data/", {"what": "account"})
        assert b"Your account is closed" in answer.content
        assert not User.objects.filter(username="alice").exists()
        assert not Job.objects.exists()
        assert not [path for path in artifacts.glob("*/*") if path.is_file()]
        assert tokens.authenticate(token) is None
        assert other.get("/account/").status_code == 302
        assert browser.get("/account/").status_code == 302

    def test_the_last_admin_stays(self) -> None:
        root = make_user("root", is_staff=True, is_superuser=True)
        self.stock(root)
        browser = confirmed(root)
        assert b"only admin" in browser.get("/account/data/").content
        assert browser.post("/account/data/", {"what": "account"}).status_code == 409
        assert Job.objects.count() == 2
        assert browser.get("/account/").status_code == 200
        make_user("second", is_staff=True, is_superuser=True)
        assert browser.post("/account/data/", {"what": "account"}).status_code == 200
        assert [user.username for user in people.admins()] == ["second"]

    @pytest.mark.parametrize("what", ["", "everything", "account "])
    def test_nothing_goes_by_mistake(self, browser: Client, alice: User, what: str) -> None:
        self.stock(alice)
        assert browser.post("/account/data/", {"what": what}).status_code == 200
        assert Job.objects.count() == 2

    def test_forged_forms_delete_nothing(self, alice: User) -> None:
        self.stock(alice)
        strict = confirmed(alice, Client())
        strict.handler.enforce_csrf_checks = True
        assert strict.post("/account/data/", {"what": "account"}).status_code == 403
        assert Job.objects.count() == 2

    def test_whoever_finds_the_browser_open_deletes_nothing(self, alice: User) -> None:
        self.stock(alice)
        found = Client()
        found.force_login(alice)
        answer = found.post("/account/data/", {"what": "account"})
        assert answer.headers["Location"] == "/account/confirm/?next=%2Faccount%2Fdata%2F"
        answer = found.post("/account/confirm/?next=/account/data/", {"password": "wrong"})
        assert answer.status_code == 200
        assert Job.objects.count() == 2
        found.post("/account/confirm/?next=/account/data/", {"password": "alicealice"})
        assert not User.objects.filter(username="alice").exists()


def test_what_stays_in_the_library_is_said_where_there_is_one(
    browser: Client, set_env: Callable[..., None], tmp_path: Path
) -> None:
    assert "library" not in browser.get("/account/data/").content.decode()
    set_env(library_dir=tmp_path)
    assert "kept in the library stays" in browser.get("/account/data/").content.decode()

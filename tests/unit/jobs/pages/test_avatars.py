"""The address of an author's picture."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import AuthorPicture, Item
from jobs.queries.snapshot import load_snapshot
from jobs.states import ItemState
from tests.factories import make_item, make_job, make_user

pytestmark = pytest.mark.django_db


def pictured(owner: User) -> Item:
    job = make_job(owner)
    item = make_item(job, state=ItemState.DONE, author_name="ann")
    AuthorPicture.objects.create(item=item, digest="d1", picture=b"\xff\xd8face")
    return item


def test_a_snapshot_says_where_it_is(client: Client, alice: User) -> None:
    item = pictured(alice)
    snapshot = load_snapshot(item.job_id, alice)
    assert snapshot
    author = snapshot.items[0].author
    assert author
    assert author.avatar == f"/avatars/{item.pk}.jpg?d1"
    response = client.get(author.avatar)
    assert response.content == b"\xff\xd8face"
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "private, max-age=3600"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert client.head(author.avatar).status_code == 200
    assert client.post(author.avatar).status_code == 405


def test_nobody_else_sees_it(client: Client, alice: User) -> None:
    item = pictured(make_user("bob"))
    assert client.get(f"/avatars/{item.pk}.jpg").status_code == 404
    assert client.get(f"/avatars/{uuid.uuid4()}.jpg").status_code == 404


def test_not_even_staff_nor_a_stranger(admin_client: Client) -> None:
    item = pictured(make_user("bob"))
    assert admin_client.get(f"/avatars/{item.pk}.jpg").status_code == 404
    assert Client().get(f"/avatars/{item.pk}.jpg").status_code == 404


def test_a_line_without_a_picture_has_no_address(client: Client, alice: User) -> None:
    item = make_item(make_job(alice), state=ItemState.DONE, author_name="ann")
    snapshot = load_snapshot(item.job_id, alice)
    assert snapshot
    author = snapshot.items[0].author
    assert author
    assert author.avatar == ""
    assert client.get(f"/avatars/{item.pk}.jpg").status_code == 404

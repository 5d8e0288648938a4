"""Names that are told apart by eye, wherever one is chosen."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client

from accounts import invitations, setup, username_lookalikes
from tests.factories import make_user

PASSWORD = "correct horse 42"


@pytest.mark.parametrize(
    "name",
    [
        "ann",
        "Zoë",
        "ann_9@home.example",
        "иван",
        "νίκη",
        "محمد",
        "田中さくら",
        "佐々木",
        "〆木",
        "二〇",
        "スーパー",
        "\u02bbOkina",
        "김철수",
        "42",
        "ñandú",
    ],
)
def test_one_alphabet_is_fine(name: str) -> None:
    assert len(username_lookalikes.scripts(name)) <= 1


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("\u0430nn", id="Cyrillic a"),
        pytest.param("\u03bfscar", id="Greek omicron"),
        pytest.param("an\u0578", id="Armenian vo"),
        pytest.param("ann\u0665", id="an Arabic digit"),
    ],
)
def test_two_alphabets_are_not(name: str) -> None:
    assert len(username_lookalikes.scripts(name)) > 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("taken", "wanted"),
    [
        pytest.param("oca", "\u043e\u0441\u0430", id="all Cyrillic"),
        pytest.param("BOB", "\u0412\u041e\u0412", id="Cyrillic capitals"),
        pytest.param("\u043e\u0441\u0430", "oca", id="the other way round"),
        pytest.param("kot", "\u03ba\u03bf\u03c4", id="all Greek"),
        pytest.param(
            "\u0418\u0432\u0430\u043d", "\u0438\u0432\u0430\u043d", id="capitals beyond ASCII"
        ),
        pytest.param("ann", "\uff41\uff4e\uff4e", id="wide letters"),
        pytest.param("kim", "k\u0131m", id="an i without its dot"),
        pytest.param("ann", "ann\u02bc", id="a letter that looks like an apostrophe"),
    ],
)
def test_a_look_alike_is_taken(taken: str, wanted: str) -> None:
    user = make_user(taken)
    with pytest.raises(ValidationError, match="looks like this one"):
        username_lookalikes.validated(wanted)
    assert username_lookalikes.validated(wanted, user)  # it is one's own


@pytest.mark.django_db
def test_every_door_asks() -> None:
    def send(address: str, name: str) -> Any:
        given = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
        return Client().post(address, given)

    first = f"/setup/{setup.create_link()}/"
    answer = send(first, "\u0430nn")
    assert answer.status_code == 422
    assert b"letters of one alphabet only" in answer.content
    assert send(first, "ann").status_code == 302
    root = User.objects.get(username="ann")

    invited = f"/join/{invitations.create(root)}/"
    assert send(invited, "\u0430nn").status_code == 422
    assert send(invited, "\u0430\u0442\u0430").status_code == 302
    answer = send(f"/join/{invitations.create(root)}/", "ata")
    assert b"A name that looks like this one is taken." in answer.content

    admin = Client()
    admin.force_login(root)
    bob = make_user("bob")
    form = {"email": "", "quota-TOTAL_FORMS": "1", "quota-INITIAL_FORMS": "0"}
    address = f"/admin/auth/user/{bob.pk}/change/"
    page = admin.post(address, form | {"username": "\u0430nn"}).content
    assert b"letters of one alphabet only" in page
    page = admin.post(address, form | {"username": "ata"}).content
    assert b"A name that looks like this one is taken." in page
    assert admin.post(address, form | {"username": "Bob"}).status_code == 302

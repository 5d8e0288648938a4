"""Keys open with their passphrase, beside the database of their backup, and not otherwise."""

from __future__ import annotations

import base64

import pytest
from pydantic import ValidationError

from webapp.backups.failures import RestoreRefused
from webapp.backups.wrapping import Wrapping, unwrap, wrap

PASSPHRASE = "correct horse"


def test_what_was_wrapped_comes_back() -> None:
    parameters, wrapped = wrap(b"key", PASSPHRASE, b"database")
    assert b"key" not in wrapped
    assert unwrap(wrapped, parameters, PASSPHRASE, b"database") == b"key"


def test_no_two_are_alike() -> None:
    assert wrap(b"key", PASSPHRASE, b"")[1] != wrap(b"key", PASSPHRASE, b"")[1]


def test_neither_another_passphrase_nor_another_database_opens_it() -> None:
    parameters, wrapped = wrap(b"key", PASSPHRASE, b"database")
    salted = parameters.model_copy(update={"salt": base64.b64encode(b"x" * 16).decode()})
    for attempt in (
        (wrapped, parameters, "correct Horse", b"database"),
        (wrapped, parameters, PASSPHRASE, b"databasf"),
        (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), parameters, PASSPHRASE, b"database"),
        (b"", parameters, PASSPHRASE, b"database"),
        (wrapped, salted, PASSPHRASE, b"database"),
        (wrapped, parameters.model_copy(update={"nonce": "!"}), PASSPHRASE, b"database"),
    ):
        with pytest.raises(RestoreRefused) as refused:
            unwrap(*attempt)
        assert refused.value.reason == "passphrase"


@pytest.mark.parametrize("costs", [{"n": 2**30}, {"n": 2}, {"r": 4096}, {"p": 10**6}])
def test_a_file_cannot_have_us_spend_gigabytes(costs: dict[str, int]) -> None:
    parameters, _wrapped = wrap(b"key", PASSPHRASE, b"")
    with pytest.raises(ValidationError):
        Wrapping.model_validate(parameters.model_dump() | costs)

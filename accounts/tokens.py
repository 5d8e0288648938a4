"""API tokens: created, authenticated, revoked; stored as hashes alone."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import InternalError, OperationalError, connection
from django.utils import timezone

from accounts.models import ApiToken, Scope

logger = logging.getLogger(__name__)

PREFIX: Final = "sk_"
MAX_LENGTH: Final = 200
LAST_USED_RESOLUTION: Final = timedelta(minutes=1)


def _digest(token: str) -> str:
    # The token is 32 random bytes: nothing to guess, so a plain hash is enough, and it is fast.
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    user: User, name: str, expires_at: datetime | None = None, *, scope: Scope = Scope.WRITE
) -> str:
    """Create an API token and return it; it can never be read again.

    name: cut to 100 characters. expires_at: None for never.
    """
    token = PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(
        owner=user, name=name[:100], digest=_digest(token), expires_at=expires_at, scope=scope
    )
    return token


def revoke(owner: User, token_id: int) -> bool:
    """Delete a token of this owner; False when they have no such token."""
    deleted, _ = ApiToken.objects.filter(owner=owner, pk=token_id).delete()
    return bool(deleted)


def authenticate(
    token: str, *, briefly: Callable[[], AbstractContextManager[None]] = nullcontext
) -> ApiToken | None:
    """The row of a token, with its owner; None when unknown, expired or the owner is blocked.

    One query, each time: what is revoked or blocked is so at once. Once a minute a second one
    updates `last_used_at`. briefly: a context in which a database that is locked is not waited for;
    whoever only reads must not wait for that.
    """
    if not token.startswith(PREFIX) or len(token) > MAX_LENGTH:
        return None
    now = timezone.now()
    api_token = _find(_digest(token))
    if api_token is None or not api_token.owner.is_active:
        return None
    if api_token.expires_at is not None and api_token.expires_at <= now:
        return None
    if api_token.last_used_at is None or api_token.last_used_at < now - LAST_USED_RESOLUTION:
        try:
            with briefly():
                ApiToken.objects.filter(pk=api_token.pk).update(last_used_at=now)
            api_token.last_used_at = now
        except (OperationalError, InternalError) as error:
            # A long write elsewhere, a full disk, a replica: reading works all the same.
            logger.warning("the use of a token was not noted: %s", error)
    return api_token


# --- the look-up, which every call of the API begins with -----------------------------------------

_TOKEN: Final = tuple(field.attname for field in ApiToken._meta.concrete_fields)  # noqa: SLF001
_OWNER: Final = tuple(field.attname for field in User._meta.concrete_fields)  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class _Lookup:
    """sql: of a token's columns and its owner's, by digest. converters: column → the ORM's own."""

    sql: str
    converters: Mapping[int, tuple[Sequence[Callable[..., Any]], Any]]


@cache
def _lookup(vendor: str) -> _Lookup:
    # Compiled once for the database there is: building a queryset for it, compiling that and
    # filling in the related row cost three times what is left.
    rows = ApiToken.objects.filter(digest="").values_list(
        *_TOKEN, *(f"owner__{name}" for name in _OWNER)
    )
    compiler = rows.query.get_compiler(connection=connection)
    sql, _ = compiler.as_sql()
    return _Lookup(sql, compiler.get_converters([column for column, _, _ in compiler.select]))


def _find(digest: str) -> ApiToken | None:
    """The row of a digest, with its owner."""
    lookup = _lookup(connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(lookup.sql, [digest])
        row = cursor.fetchone()
    if row is None:
        return None
    values = list(row)
    for position, (converters, column) in lookup.converters.items():
        for convert in converters:
            values[position] = convert(values[position], column, connection)
    api_token = ApiToken.from_db(connection.alias, _TOKEN, values[: len(_TOKEN)])
    api_token.owner = User.from_db(connection.alias, _OWNER, values[len(_TOKEN) :])
    return api_token

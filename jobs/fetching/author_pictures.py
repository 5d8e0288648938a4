"""Author pictures: the row with the small JPEG of a line's author."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

from jobs.models import AuthorPicture

_DIGEST_LENGTH: Final = 16


def save(item_id: UUID, picture: bytes) -> None:
    """Save the picture of a line's author in place of an earlier one, in one statement.

    To be called in a transaction that is fenced by the line's claim.
    """
    digest = hashlib.sha256(picture).hexdigest()[:_DIGEST_LENGTH]
    AuthorPicture.objects.bulk_create(
        [AuthorPicture(item_id=item_id, digest=digest, picture=picture)],
        update_conflicts=True,
        unique_fields=["item"],
        update_fields=["digest", "picture"],
    )


def of(item_id: UUID) -> bytes | None:
    """The picture of a line's author; None when there is none."""
    pictures = AuthorPicture.objects.filter(item_id=item_id).values_list("picture", flat=True)
    picture = pictures.first()
    return None if picture is None else bytes(picture)

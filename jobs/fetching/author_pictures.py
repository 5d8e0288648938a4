"""Author pictures: the rows with the small JPEG of a line's author, written under its claim."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

from django.db import transaction

from jobs.models import AuthorPicture
from jobs.queue import claims
from jobs.queue.claims import Claim

_DIGEST_LENGTH: Final = 16


def save(claim: Claim, picture: bytes) -> None:
    """Save the picture of a claimed line's author in place of an earlier one. Raises ClaimLost.

    Two statements: the line's own row fences the picture, and its digest tells pages of it.
    """
    digest = hashlib.sha256(picture).hexdigest()[:_DIGEST_LENGTH]
    with transaction.atomic():
        claims.write(claim, author_picture=digest)
        AuthorPicture.objects.bulk_create(
            [AuthorPicture(item_id=claim.item_id, picture=picture)],
            update_conflicts=True,
            unique_fields=["item"],
            update_fields=["picture"],
        )


def of(item_id: UUID) -> bytes | None:
    """The picture of a line's author; None when there is none."""
    pictures = AuthorPicture.objects.filter(item_id=item_id).values_list("picture", flat=True)
    picture = pictures.first()
    return None if picture is None else bytes(picture)

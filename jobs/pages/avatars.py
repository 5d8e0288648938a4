"""The address of an author's picture, for `<img>` alone."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from jobs.files.serving import INLINE_POLICY
from jobs.models import AuthorPicture, Item

MAX_AGE_S: Final = 60 * 60
"""A browser may hold a picture for so long after its job was forgotten."""


@require_safe
def avatar(request: HttpRequest, item_id: UUID) -> HttpResponse:
    """The saved picture of a line's author, a JPEG; 404 where this user has none of that line.

    A stranger is not sent to the sign-in, as from a file: nobody follows this address.
    """
    own = Item.objects.visible_to(request.user).filter(pk=item_id)
    pictures = AuthorPicture.objects.filter(item__in=own).values_list("picture", flat=True)
    picture = pictures.first()
    if picture is None:
        raise Http404
    return HttpResponse(
        bytes(picture),
        content_type="image/jpeg",
        headers={
            "Cache-Control": f"private, max-age={MAX_AGE_S}",
            "Content-Disposition": "inline",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": INLINE_POLICY,
            "Cross-Origin-Resource-Policy": "same-origin",
        },
    )

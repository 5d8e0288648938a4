"""The table of authors' pictures; models.py has the others."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuthorPicture(models.Model):
    """The public picture of a line's author: a small JPEG, gone with the line.

    A table of its own, so that whatever reads lines does not read the bytes. digest: of them, and
    before them in the row, so that it is read without them.
    """

    item = models.OneToOneField(
        "jobs.Item",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="author_picture",
        verbose_name=_("line"),
    )
    digest = models.CharField(max_length=16)
    picture = models.BinaryField()

    class Meta:
        verbose_name = _("author’s picture")
        verbose_name_plural = _("authors’ pictures")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

"""The table of the mark in the folder of saved files; models.py has the others."""

import uuid

from django.db import models


class FolderMark(models.Model):
    """What is written into the folder of saved files, so that folder and database know each other.

    The last one is that of the folder in use (jobs/files/marks.py).
    """

    mark = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

    def __str__(self) -> str:
        return str(self.mark)

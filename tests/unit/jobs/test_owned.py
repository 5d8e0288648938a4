"""Tests for `jobs.owned`."""

from __future__ import annotations

import uuid

from jobs.models import Job, Package
from jobs.owned import Owned


def test_what_somebody_owns_has_an_id_that_cannot_be_guessed() -> None:
    assert issubclass(Job, Owned)
    assert isinstance(Job().id, uuid.UUID)
    assert Job().id != Job().id
    assert issubclass(Package, Owned)

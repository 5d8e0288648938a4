"""The table of protocol packs."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from jobs.models import ProtocolPack

pytestmark = pytest.mark.django_db


def test_one_pack_is_active_at_most() -> None:
    ProtocolPack.objects.create(version="2030-01-01.1", envelope="", how="file", active=True)
    ProtocolPack.objects.create(version="2030-01-01.2", envelope="", how="file")
    with pytest.raises(IntegrityError), transaction.atomic():
        ProtocolPack.objects.create(version="2030-01-01.3", envelope="", how="file", active=True)
    assert [str(pack) for pack in ProtocolPack.objects.filter(active=True)] == ["2030-01-01.1"]


def test_a_version_is_kept_once() -> None:
    ProtocolPack.objects.create(version="2030-01-01.1", envelope="", how="file")
    with pytest.raises(IntegrityError), transaction.atomic():
        ProtocolPack.objects.create(version="2030-01-01.1", envelope="", how="file")

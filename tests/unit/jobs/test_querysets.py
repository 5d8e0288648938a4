"""Query sets: whose rows are seen."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from jobs.models import Artifact, Item, Job, Story
from tests.factories import make_artifact, make_user

pytestmark = pytest.mark.django_db


def test_nobody_sees_rows_of_others() -> None:
    artifact = make_artifact()
    for model in (Job, Item, Story, Artifact):
        assert model.objects.visible_to(artifact.owner).count() == 1
        assert model.objects.visible_to(make_user("bob", is_superuser=True)).count() == 0
        assert model.objects.visible_to(AnonymousUser()).count() == 0

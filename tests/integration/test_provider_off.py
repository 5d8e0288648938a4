"""A provider that is set and then no longer: its tables stay, and stand in nobody's way."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_up import ROOT, environment, free_port
from tests.integration.test_up import folder as folder

pytestmark = [pytest.mark.xdist_group("up"), pytest.mark.timeout(400)]

PROVIDER = {
    "STORYKEEP_OIDC_ISSUER": "https://auth.example.org",
    "STORYKEEP_OIDC_CLIENT_ID": "storykeep",
    "STORYKEEP_OIDC_CLIENT_SECRET": "only-in-tests",
    "STORYKEEP_PUBLIC_URL": "https://stories.example.org",
}
LINK = """
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
User.objects.create_superuser("root")
nora = User.objects.create_user("nora")
SocialAccount.objects.create(user=nora, provider="https://auth.example.org", uid="1")
"""
DELETE = """
from django.apps import apps
from django.contrib.auth.models import User
from webapp import offboarding
assert not apps.is_installed("allauth.socialaccount")
offboarding.delete_user(User.objects.get(username="nora"))
print(*User.objects.exclude(is_active=False).values_list("username", flat=True))
"""


def manage(folder: Path, *words: str, told: str = "", **ours: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment(folder, free_port()) | ours,
        input=told,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_tables_come_and_stay_and_people_can_go(folder: Path) -> None:
    manage(folder, "up", "--only", "migrate", **PROVIDER)
    manage(folder, "shell", told=LINK, **PROVIDER)
    manage(folder, "up", "--only", "migrate")
    assert "root" in manage(folder, "shell", told=DELETE)
    shutil.rmtree(folder, ignore_errors=True)

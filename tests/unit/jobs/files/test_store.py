"""Which store the settings name, and what it costs not to name one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from jobs.files import bucket_store, folder_store, store
from tests import buckets

ROOT = Path(__file__).parents[4]


def test_the_settings_choose(set_env: Callable[..., None]) -> None:
    assert store._store() is folder_store
    assert not store.is_remote()
    set_env(**buckets.settings_of("http://127.0.0.1:1"))
    assert store._store() is bucket_store
    assert store.is_remote()


def test_a_folder_has_no_uploads_to_abort() -> None:
    assert store.abort_stale_uploads(timezone.now()) == 0
    assert not store.remove_all([])


@pytest.mark.parametrize("modules", ["webapp.urls", "jobs.tasks, jobs.fetching.bridge"])
def test_without_a_bucket_its_client_is_not_imported(modules: str) -> None:
    loads = (
        "import tests.settings, django, sys; django.setup();"
        f"import {modules};"
        "from jobs.files import store, workspace;"
        "unneeded = ('obstore', 'boto3', 'botocore', 'jobs.files.bucket.');"
        "print(*(name for name in sys.modules if f'{name}.'.startswith(unneeded)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", loads],
        cwd=ROOT,
        env={
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": str(ROOT),
            "PATH": os.environ["PATH"],
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []

"""Is this instance alive, and can it do its work? Never asks TikTok."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from jobs.ephemeral.connection import is_up
from jobs.files import disk as artifact_disk

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def live(_request: HttpRequest) -> HttpResponse:
    """The process answers. No I/O, so that a slow disk does not get it restarted."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """200 when every part can be used, else 503; each part says which. No names, no reasons."""
    parts = {name: works(check) for name, check in CHECKS.items()}
    everything = all(parts.values())
    answer = {"ok": everything, "parts": {name: {"ok": ok} for name, ok in parts.items()}}
    return JsonResponse(answer, status=200 if everything else 503)


def works(check: Callable[[], bool]) -> bool:
    """Run one check; whatever it raises means no."""
    try:
        return check()
    except (DatabaseError, OSError) as error:
        logger.warning("not ready: %s", type(error).__name__)
        return False


def database() -> bool:
    """Does it answer a question?"""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone())


class _Migrations:
    """Is the database as new as the code? Once it is, it stays so while this process runs."""

    done = False

    def __call__(self) -> bool:
        if not self.done:
            executor = MigrationExecutor(connection)
            self.done = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        return self.done


def disk() -> bool:
    """Is it the disk the files are on, with room for more than the last few bytes?"""
    return (
        not artifact_disk.is_unmounted()
        and artifact_disk.free_bytes() >= settings.STORYKEEP.disk_min_free
    )


CHECKS: Final[dict[str, Callable[[], bool]]] = {
    "database": database,
    "migrations": _Migrations(),
    "redis": is_up,
    "disk": disk,
}

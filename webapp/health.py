"""Health endpoints: liveness without I/O, readiness of database, Redis and disk; never TikTok."""

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

from jobs.ephemeral.connection import accepts_writes
from jobs.files import disk as artifact_disk

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def live(_request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers. No I/O: a slow disk must not get it restarted."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """200 when every part can be used, else 503, and which parts can. No names, no reasons."""
    parts = {name: passes(check) for name, check in CHECKS.items()}
    all_ok = all(parts.values())
    report = {"ok": all_ok, "parts": {name: {"ok": ok} for name, ok in parts.items()}}
    return JsonResponse(report, status=200 if all_ok else 503)


def passes(check: Callable[[], bool]) -> bool:
    """The result of a check; False when it raises DatabaseError or OSError."""
    try:
        return check()
    except (DatabaseError, OSError) as error:
        logger.warning("not ready: %s", type(error).__name__)
        return False


def database() -> bool:
    """Whether the database answers a query. Raises DatabaseError when it does not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone())


class _MigrationCheck:
    """Whether every migration is applied. Once true, it stays so while this process runs."""

    done = False

    def __call__(self) -> bool:
        if not self.done:
            executor = MigrationExecutor(connection)
            self.done = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        return self.done


def disk() -> bool:
    """Whether the disk of saved files is mounted, with STORYKEEP_DISK_MIN_FREE left."""
    return (
        not artifact_disk.is_unmounted()
        and artifact_disk.free_bytes() >= settings.STORYKEEP.disk_min_free
    )


CHECKS: Final[dict[str, Callable[[], bool]]] = {
    "database": database,
    "migrations": _MigrationCheck(),
    "redis": accepts_writes,
    "disk": disk,
}

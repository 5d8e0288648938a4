"""The entry point for the web server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def below(prefix: str, inner: Wsgi) -> Wsgi:
    """Serve `inner` under a sub-path, whether or not the proxy in front cuts it off."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == prefix or path.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = path[len(prefix) :] or "/"
        return inner(environ, start_response)

    return application


def _application() -> Wsgi:
    inner = get_wsgi_application()
    from django.conf import settings

    return below(settings.FORCE_SCRIPT_NAME, inner) if settings.FORCE_SCRIPT_NAME else inner


application = _application()

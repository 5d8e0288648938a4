"""The WSGI application, which the web server imports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


def mounted(prefix: str, inner: WsgiApp) -> WsgiApp:
    """The application under a sub-path, whether or not the proxy in front strips the prefix."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == prefix or path.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = path[len(prefix) :] or "/"
        return inner(environ, start_response)

    return application


def _application() -> WsgiApp:
    inner = get_wsgi_application()
    from django.conf import settings

    return mounted(settings.FORCE_SCRIPT_NAME, inner) if settings.FORCE_SCRIPT_NAME else inner


application = _application()

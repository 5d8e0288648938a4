"""The WSGI application, which the web server imports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


def mounted(prefix: str, inner: WsgiApp, leads_somewhere: Callable[[str], object]) -> WsgiApp:
    """The application under a sub-path, whether or not the proxy in front strips the prefix.

    leads_somewhere: true for a path of ours. Below `/stories`, what arrives as
    `/stories/<id>/clean/` has lost its prefix already: without it, it would lead nowhere.
    """

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == prefix or path.startswith(f"{prefix}/"):
            stripped = path[len(prefix) :] or "/"
            if leads_somewhere(stripped) or not leads_somewhere(path):
                environ["PATH_INFO"] = stripped
        return inner(environ, start_response)

    return application


def _application() -> WsgiApp:
    inner = get_wsgi_application()
    from django.conf import settings
    from django.urls import is_valid_path

    prefix: str | None = settings.FORCE_SCRIPT_NAME
    return mounted(prefix, inner, lambda path: bool(is_valid_path(path))) if prefix else inner


def warm_up() -> None:
    """Load what the first request would otherwise wait for: every view, every address that pages
    name, the templates of home, history and jobs with their parts."""
    from django.conf import settings
    from django.template.loader import get_template
    from django.urls import get_resolver, reverse

    get_resolver().url_patterns  # noqa: B018 (imports every view)
    reverse("home")  # has the resolver read and compile all patterns
    get_template("account/login.html")
    for path in (settings.BASE_DIR / "templates" / "jobs").glob("*.html"):
        get_template(f"jobs/{path.name}")


application = _application()

"""Theme and language, chosen by a person and kept in cookies on this device."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from webapp.context import THEME_COOKIE, THEMES

_YEAR_S = 365 * 24 * 60 * 60


@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """Store a theme or a language for a year, and redirect to the page it was chosen on.

    A GET, say from the browser's history, redirects to the page with the buttons. 400 for an
    unknown theme or language.
    """
    if request.method != "POST":
        return redirect("account" if request.user.is_authenticated else "home")
    response = redirect(_next_url(request))
    theme, language = request.POST.get("theme"), request.POST.get("language")
    if theme is not None and theme in {"", *THEMES}:
        _set_cookie(response, THEME_COOKIE, theme)
    elif language is not None and language in dict(settings.LANGUAGES):
        _set_cookie(response, settings.LANGUAGE_COOKIE_NAME, language)
    else:
        return HttpResponseBadRequest()
    return response


def _next_url(request: HttpRequest) -> str:
    url = request.POST.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if is_safe else reverse("home")


def _set_cookie(response: HttpResponse, name: str, value: str) -> None:
    """Set a cookie; an empty value deletes it."""
    if value:
        response.set_cookie(
            name,
            value,
            max_age=_YEAR_S,
            secure=settings.SECURE_COOKIES,
            httponly=True,
            path=settings.LANGUAGE_COOKIE_PATH,
            samesite="Lax",
        )
    else:
        response.delete_cookie(name, path=settings.LANGUAGE_COOKIE_PATH, samesite="Lax")

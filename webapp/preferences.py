"""How the site looks and which language it speaks: a person's choice, kept in cookies."""

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
    """Keep the choice for a year on this device, and go back to where it was made.

    This is no page: whoever opens the address, say from the history, is led to the buttons.
    """
    if request.method != "POST":
        return redirect("account" if request.user.is_authenticated else "home")
    response = redirect(_back(request))
    theme, language = request.POST.get("theme"), request.POST.get("language")
    if theme is not None and theme in {"", *THEMES}:
        _keep(response, THEME_COOKIE, theme)
    elif language is not None and language in dict(settings.LANGUAGES):
        _keep(response, settings.LANGUAGE_COOKIE_NAME, language)
    else:
        return HttpResponseBadRequest()
    return response


def _back(request: HttpRequest) -> str:
    to = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(
        to, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return to if ours else reverse("home")


def _keep(response: HttpResponse, name: str, value: str) -> None:
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

"""URLs of sign-in by a provider: there on every instance, 404 on one without a provider, and
nothing behind them is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import path

from accounts.oidc import configured


def _view(name: str) -> Callable[..., HttpResponseBase]:
    def respond(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
        if not configured.is_on():
            raise Http404
        from accounts.oidc import views

        view: Callable[..., HttpResponseBase] = getattr(views, name)
        return view(request, *args, **options)

    return respond


urlpatterns = [
    path("login/oidc/", _view("start"), name="oidc_start"),
    path("login/oidc/callback/", _view("callback"), name="oidc_callback"),
    path("account/provider/", _view("account"), name="oidc_account"),
    path("account/provider/link/", _view("link"), name="oidc_link"),
    path("account/provider/unlink/", _view("unlink"), name="oidc_unlink"),
    path("account/confirm/provider/", _view("confirm"), name="oidc_confirm"),
]

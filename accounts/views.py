"""The page behind the set-up link."""

from __future__ import annotations

from django.contrib.auth import login
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import setup


@never_cache
@sensitive_post_parameters()
def set_up(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for a name and a password, make the first admin, and sign in."""
    page = "registration/setup.html"
    if not setup.is_open(token):
        return render(request, page, {"form": None}, status=404)
    form: UserCreationForm[User] = UserCreationForm(request.POST or None)
    if not form.is_valid():
        return render(request, page, {"form": form}, status=422 if form.is_bound else 200)
    admin = setup.make_admin(token, form.cleaned_data["username"], form.cleaned_data["password1"])
    if admin is None:
        return render(request, page, {"form": None}, status=404)
    login(request, admin)
    return redirect("home")

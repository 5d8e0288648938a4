"""The account page, and the page to delete one's data: both need `accounts` and `jobs`."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import people
from accounts.signin import requires_recent_sign_in
from webapp import offboarding


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):  # `login_required` lets nobody else in
        raise Http404
    return request.user


@never_cache
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """The account page: name, role, and links to everything about the account."""
    context = {"has_library": settings.STORYKEEP.library_dir is not None}
    return render(request, "registration/account.html", context)


@never_cache
@login_required
@requires_recent_sign_in
@require_http_methods(["GET", "HEAD", "POST"])
def my_data(request: HttpRequest) -> HttpResponse:
    """A person's own data in numbers; a POST deletes it (`what=data`) or closes the account
    (`what=account`; 409 for the last admin)."""
    user = _user(request)
    what = request.POST.get("what")
    if what == "data":
        deleted = offboarding.delete_data(user)
        message = ngettext("%d job is deleted.", "%d jobs are deleted.", deleted.jobs)
        messages.success(request, message % deleted.jobs)
        return redirect("my_data")
    refused = False
    if what == "account":
        try:
            offboarding.delete_user(user)
        except people.LastAdmin:
            refused = True
        else:
            logout(request)
            return render(request, "registration/closed.html")
    context = {
        "preview": offboarding.deletion_preview(user),
        "has_library": settings.STORYKEEP.library_dir is not None,
        "last_admin": refused or people.are_last_admins(user),
    }
    return render(request, "registration/data.html", context, status=409 if refused else 200)

"""The page of backups: make one, download those that are kept, and how they are restored.

For admins alone, with a password or passkey given within five minutes.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.signin import requires_recent_sign_in_to_open
from webapp import problems, upkeep
from webapp.admin.system import is_admin
from webapp.admin_site import AdminPage, admin_pages
from webapp.backups import kept, making
from webapp.backups.failures import BackupFailed
from webapp.backups.wrapping import MIN_LENGTH

logger = logging.getLogger(__name__)

KIND_WORDS: Final = {
    "manual": gettext_lazy("by hand"),
    "daily": gettext_lazy("daily"),
    "upgrade": gettext_lazy("before an upgrade"),
    "replaced": gettext_lazy("before a restore"),
}


class BackupForm(forms.Form):
    """A passphrase for the keys, twice; none leaves them out."""

    passphrase = forms.CharField(
        label=gettext_lazy("Passphrase"),
        required=False,
        min_length=MIN_LENGTH,
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=gettext_lazy("Repeat the passphrase"),
        required=False,
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_again(self) -> str:
        """The same as the passphrase. Raises ValidationError."""
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("passphrase", again):
            raise forms.ValidationError(_("The passphrases do not match."))
        return again


@never_cache
@sensitive_post_parameters()
@requires_recent_sign_in_to_open
@require_http_methods(["GET", "HEAD", "POST"])
def backup_page(request: HttpRequest) -> HttpResponseBase:
    """What is kept, how to restore it, and a form for one more."""
    if request.method != "POST":
        return _page(request, BackupForm())
    form = BackupForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    now = timezone.now()
    passphrase = form.cleaned_data["passphrase"]
    try:
        made = making.make_by_hand(passphrase, now)
    except BackupFailed as error:
        logger.warning("no backup was made: %s", error.reason)
        return _page(request, form, problem=str(error), status=503)
    problems.memory.forget()
    _log(request, now, f"made: {made.name}, {'with' if passphrase else 'without'} keys")
    messages.success(request, _("Backed up. Download it, and keep it on another disk."))
    return redirect("admin:backup")


def _page(
    request: HttpRequest, form: BackupForm, *, problem: str = "", status: int = 200
) -> HttpResponse:
    expected_bytes, why_not = None, ""
    try:
        making.check()
        expected_bytes = making.expected_bytes()
    except BackupFailed as error:
        why_not = str(error)
    context = admin.site.each_context(request) | {
        "title": _("Back up"),
        "problem": problem,
        "form": form,
        "why_not": why_not,
        "expected_bytes": expected_bytes,
        "kept": [(backup, KIND_WORDS[backup.kind]) for backup in kept.kept()],
        "folder": str(kept.folder()),
        "dump": upkeep.dump_commands() if why_not else [],
        "restore": upkeep.load_commands() if why_not else upkeep.restore_commands(),
        "backed_up_at": kept.last_at(),
    }
    return render(request, "admin/backup.html", context, status=status)


@never_cache
@requires_recent_sign_in_to_open
@require_http_methods(["GET", "HEAD", "POST"])
def backup_file(request: HttpRequest, name: str) -> HttpResponseBase:
    """A kept backup, to a POST; whoever had to give a password first is led back to the button."""
    path = kept.path_of(name)
    if path is None:
        raise Http404
    if request.method != "POST":
        return redirect("admin:backup")
    _log(request, timezone.now(), f"downloaded: {name}")
    response = FileResponse(
        path.open("rb"), as_attachment=True, filename=name, content_type="application/x-tar"
    )
    response.headers["Cache-Control"] = "private, no-store"
    return response


@require_POST
def backup_done(request: HttpRequest) -> HttpResponse:
    """Note that somebody has just backed up in their own way."""
    kept.record("manual")
    problems.memory.forget()
    _log(request, timezone.now(), "noted: made in another way")
    messages.success(request, _("Noted: backed up just now."))
    return redirect("admin:system")


def _log(request: HttpRequest, now: datetime, what: str) -> None:
    """Put into the admin's log who backed up, and when."""
    LogEntry.objects.create(
        user=cast("User", request.user),
        action_time=now,
        action_flag=CHANGE,
        object_repr="Backup",
        change_message=what,
    )
    logger.info("backup %s, by user %s", what, request.user.pk)


for _one in (
    AdminPage(
        name="backup",
        route="system/backup/",
        view=backup_page,
        allowed=is_admin,
        section="system",
    ),
    AdminPage(
        name="backup_file",
        route="system/backup/file/<str:name>/",
        view=backup_file,
        allowed=is_admin,
        section="system",
    ),
    AdminPage(
        name="backup_done",
        route="system/backup/done/",
        view=backup_done,
        allowed=is_admin,
        section="system",
    ),
):
    admin_pages.register(_one)

"""The set-up link's other way: a backup restored into an empty instance that runs.

The upload goes to the data folder's disk while it arrives (webapp/server/uploads.py).
"""

from __future__ import annotations

import logging
import tempfile
from typing import IO, Any

from django import forms
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import setup
from webapp import problems
from webapp.server import uploads

logger = logging.getLogger(__name__)
PAGE = "registration/setup_restore.html"


class OnDisk(FileUploadHandler):
    """Writes an upload into the data folder, without a name; a disk that is full has it skipped."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self._file: IO[bytes]

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin another file."""
        super().new_file(*args, **kwargs)
        self._file = tempfile.TemporaryFile(dir=settings.STORYKEEP.data_dir)  # noqa: SIM115  # handed on

    def receive_data_chunk(self, raw_data: bytes, _start: int) -> None:
        """Write what came."""
        try:
            self._file.write(raw_data)
        except OSError as error:
            self._file.close()
            raise SkipFile from error

    def file_complete(self, file_size: int) -> UploadedFile[bytes]:
        """The file, from its beginning."""
        self._file.seek(0)
        return UploadedFile(self._file, self.file_name, self.content_type, file_size)


class RestoreForm(forms.Form):
    """A backup, and the passphrase of its keys or that it is not there."""

    file = forms.FileField(
        label=gettext_lazy("Backup"), widget=forms.FileInput(attrs={"accept": ".tar"})
    )
    passphrase = forms.CharField(
        label=gettext_lazy("Passphrase"),
        required=False,
        max_length=1000,
        strip=False,
        help_text=gettext_lazy("If it was made with one."),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    without_keys = forms.BooleanField(
        label=gettext_lazy("I do not have the passphrase"), required=False
    )


@csrf_exempt  # which would read the upload, before it is said where that goes
def restore_page(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for a backup, and restore it."""
    request.upload_handlers = [OnDisk(request)]
    return _restore_page(request, token)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
def _restore_page(request: HttpRequest, token: str) -> HttpResponse:
    if not setup.is_valid(token):
        return render(request, PAGE, {"form": None}, status=404)
    if request.method != "POST":
        uploads.open_for(token)
        return render(request, PAGE, {"form": RestoreForm(), "token": token})
    form = RestoreForm(request.POST, request.FILES)
    context: dict[str, Any] = {"form": form, "token": token}
    if not form.is_valid():
        return render(request, PAGE, context, status=422)
    # Loaded now: this happens once in the life of an instance.
    from webapp.backups import restoring
    from webapp.backups.failures import RestoreRefused

    given = form.cleaned_data
    try:
        with restoring.alone():
            restored = restoring.restore(
                given["file"].file, given["passphrase"], without_keys=given["without_keys"]
            )
    except RestoreRefused as error:
        logger.warning("no backup was restored: %s", error.reason)
        return render(request, PAGE, context | {"problem": str(error)}, status=422)
    finally:
        given["file"].close()
    logger.warning("a backup of %s was restored by the set-up link", restored.at)
    if restored.unfinished:
        logger.error("what was restored is not up to date: %s", restored.unfinished)
    uploads.close_for(token)
    ContentType.objects.clear_cache()
    problems.memory.forget()
    request.session.flush()
    return render(request, PAGE, {"restored": restored})

"""The address an installed app sends what is shared to it: a job at once, where that is safe.

See docs/decisions/0034-share-by-post.md.
"""

from __future__ import annotations

import hashlib
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from jobs.lines import read_lines
from jobs.models import ItemKind, Job
from jobs.pages import home
from jobs.pages.forms import PasteForm
from jobs.queue import submission
from stories.errors import StoriesError

WINDOW_S: Final = 120
"""For so long at least, and at most twice as long, the same share is the same job."""

_SALT: Final = "jobs.pages.share_target"


def address(user: AbstractBaseUser | AnonymousUser) -> str:
    """The path this user's app shares to: nobody else can guess it, and a new password changes it.

    Home, which only fills the box in, for whoever is not signed in.
    """
    if not isinstance(user, User):
        return reverse("home")
    return reverse("share", args=[user.pk, _key(user)])


def _key(user: User) -> str:
    return salted_hmac(_SALT, f"{user.pk} {user.password}", algorithm="sha256").hexdigest()[:40]


@csrf_exempt  # no page of ours sends this form; the key and `_is_from_the_system` stand in for it
@require_http_methods(["GET", "HEAD", "POST"])
def share(request: HttpRequest, user_id: int, key: str) -> HttpResponse:
    """Make a job of what an app shared (`title`, `text`, `url`), and redirect to it.

    Without certainty that this user shared it just now, or where a line leaves a doubt, the home
    page comes filled in instead. For whoever has to sign in first the text waits in the session.
    """
    if request.method != "POST":
        return redirect("home")
    text = home.shared_text(request.POST)
    sharer = User.objects.filter(pk=user_id, is_active=True).first()
    is_known = sharer is not None and constant_time_compare(key, _key(sharer))
    if not request.user.is_authenticated:
        if is_known:  # else a stranger's form would take the place of the session there is
            home.save_draft(request, {"text": text}, str(user_id))
        return redirect_to_login(reverse("home"))
    form = PasteForm({"text": text})
    is_theirs = is_known and user_id == request.user.pk and _is_from_the_system(request)
    if sharer is None or not is_theirs or not form.is_valid() or not _is_plain(form):
        return home.page(request, PasteForm(initial={"text": text}))
    try:
        job = _submit_once(sharer, form)
    except StoriesError as error:
        return home.page(request, form, home.submit_problem(form, error), status=422)
    return redirect("job", job.pk)


def _is_from_the_system(request: HttpRequest) -> bool:
    """True for a request that no page made. Browsers say so themselves, where pages cannot."""
    return request.headers.get("Sec-Fetch-Site") == "none"


def _is_plain(form: PasteForm) -> bool:
    """True when every line can be saved as it is."""
    lines = read_lines(form.lines())
    return 0 < len(lines) <= settings.STORYKEEP.batch_max and all(
        line.target is not None and line.kind != ItemKind.POST for line in lines
    )


def _submit_once(user: User, form: PasteForm) -> Job:
    """The job of this share; the one it made a moment ago when it is delivered twice."""
    digest = hashlib.sha256(form.cleaned_data["text"].encode("utf-8", "replace")).hexdigest()
    window = int(timezone.now().timestamp()) // WINDOW_S
    keys = [f"share {digest} {window - ago}" for ago in (0, 1)]
    earlier = Job.objects.visible_to(user).filter(idempotency_key__in=keys).first()
    if earlier is not None:
        return earlier
    return submission.submit(user, form.lines(), idempotency_key=keys[0])

"""The page of notifications: how a member is told, on which devices, and what did not arrive."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from jobs.files import times
from jobs.queue import broker, routing
from notices import planning, subscriptions, vapid, webhooks
from notices.kinds import DeliveryState, Kind, Way
from notices.models import Delivery, Message, Preference, PushSubscription, Webhook
from notices.subscriptions import SubscriptionRefused
from notices.vapid import NoKey
from notices.wording import write
from webapp import notice_trials
from webapp.notice_form import NoticeForm
from webapp.notice_sessions import SUBSCRIPTION

SHOWN: Final = 20
"""Messages that did not arrive, on the page at most."""
_MAX_TOLD_BYTES: Final = 4096
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def notifications(request: HttpRequest) -> HttpResponse:
    """How the user is told. A POST does one thing, by its button: `save` the settings, `webhook`
    sets an address (its new secret is in this response alone), `webhook_off`, `remove` a device by
    its id, `test` one of the ways. 422 for an answer that cannot be used."""
    user = _user(request)
    done = next((name for name in _DOES if name in request.POST), "")
    if request.method == "POST" and done:
        return _DOES[done](request, user)
    if request.method == "POST":
        return redirect("notifications")
    return _page(request, user)


@never_cache
@login_required
@require_POST
def push_subscribe(request: HttpRequest) -> HttpResponse:
    """Keep this browser's subscription, sent as JSON as `PushSubscription.toJSON()` has it, with
    `server_key` beside it. 204; 422 for one that cannot be used, 404 where there is no push."""
    user = _user(request)
    if not settings.STORYKEEP.push_contact:
        raise Http404
    try:
        told = json.loads(request.body[: _MAX_TOLD_BYTES + 1])
        key = vapid.find_or_make()
        if not isinstance(told, dict) or told.get("server_key") != key.public:
            raise SubscriptionRefused("made for another key")
        _keep_device(request, user, told, key.public)
    except NoKey:
        return JsonResponse({"error": "no_key"}, status=503)
    except (ValueError, RecursionError):  # no JSON, or no subscription
        return JsonResponse({"error": "refused"}, status=422)
    # Not as a page, which a script would take for that of a sign-in in front.
    return HttpResponse(status=204, content_type="text/plain")


def _keep_device(request: HttpRequest, user: User, told: dict[str, Any], key: str) -> None:
    """Keep a subscription, how its member is told, and whose session it ends with: none of them
    without the others. Raises SubscriptionRefused, and SessionInterrupted for who was signed out
    meanwhile."""
    try:
        with transaction.atomic():
            row = subscriptions.subscribe(
                user.pk,
                told,
                server_key=key,
                base=settings.STORYKEEP.absolute_url_for(request, reverse("home")),
                device=device_name(request.headers.get("User-Agent", "")),
            )
            _remember_reader(user)
            request.session[SUBSCRIPTION] = row.pk
            request.session.save()
    except UpdateError as error:
        raise SessionInterrupted("signed out meanwhile") from error


@csrf_exempt  # a service worker has no form; what a browser says of the request stands in for it
@never_cache
@login_required
@require_POST
def push_renew(request: HttpRequest) -> HttpResponse:
    """Keep what this browser made in the place of a subscription that its push service gave up:
    JSON as for `push_subscribe`, with the address it had as `old`. 204; 403 unless a script of this
    site asks, 404 where the user has no such device, 422 for a subscription that cannot be used."""
    if request.headers.get("Sec-Fetch-Site") != "same-origin":
        raise PermissionDenied
    try:
        told = json.loads(request.body[: _MAX_TOLD_BYTES + 1])
        if not isinstance(told, dict):
            raise SubscriptionRefused("no object")
        if not subscriptions.renew(_user(request).pk, told, old=str(told.get("old", ""))):
            raise Http404
    except (ValueError, RecursionError):
        return JsonResponse({"error": "refused"}, status=422)
    return HttpResponse(status=204, content_type="text/plain")


def push_context(request: HttpRequest) -> dict[str, Any]:
    """For templates/_push.html. push: `on`, or why there are no push messages: `unset`, `http`,
    `no_key`. push_key: what a browser subscribes with. push_here: this browser has done so."""
    if not settings.STORYKEEP.push_contact:
        return {"push": "unset"}
    host = request.get_host().rpartition(":")[0] or request.get_host()
    if not request.is_secure() and host not in _LOOPBACK:
        return {"push": "http"}
    try:
        key = vapid.find_or_make().public
    except NoKey:
        return {"push": "no_key"}
    known = PushSubscription.objects.filter(
        pk=request.session.get(SUBSCRIPTION, 0), owner=request.user.pk, server_key=key
    )
    return {"push": "on", "push_key": key, "push_here": known.exists()}


_SYSTEMS: Final = (
    ("iPad", "iPad"), ("iPhone", "iPhone"), ("Android", "Android"), ("Windows", "Windows"),
    ("Macintosh", "Mac"), ("CrOS", "Chromebook"), ("Linux", "Linux"),
)  # fmt: skip
_BROWSERS: Final = (
    ("Edg", "Edge"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"), ("Chrome", "Chrome"), ("CriOS", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip


def device_name(user_agent: str) -> str:
    """`Chrome, Android`: a browser as people call it; "?" for one that says nothing known."""
    browser = next((name for sign, name in _BROWSERS if f"{sign}/" in user_agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return ", ".join(filter(None, (browser, system))) or "?"


# --- what a button does ---------------------------------------------------------------------------


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):  # `login_required` lets nobody else in
        raise Http404
    return request.user


def _preference(user: User) -> Preference:
    return Preference.objects.filter(pk=user.pk).first() or Preference(owner=user)


def _remember_reader(user: User, preference: Preference | None = None) -> None:
    """Keep the language and the clock of who is at the browser with how they want to be told."""
    preference = preference or _preference(user)
    preference.language = (get_language() or "")[:10]
    preference.time_zone = times.reader_zone_name()
    preference.save()


def _save(request: HttpRequest, user: User) -> HttpResponse:
    preference = _preference(user)
    form = NoticeForm(request.POST, preference=preference)
    if not form.is_valid():
        return _page(request, user, form=form, status=422)
    form.fill(preference)
    with transaction.atomic():  # what waits is not left to the hours of before
        _remember_reader(user, preference)
        planning.plan_anew(user.pk, timezone.now())
    messages.success(request, _("Saved."))
    return redirect("notifications")


def _set_webhook(request: HttpRequest, user: User) -> HttpResponse:
    address = request.POST.get("address", "").strip()
    try:
        with transaction.atomic():  # who has no preference is told nothing
            secret = webhooks.put(user.pk, address, settings.STORYKEEP.webhook_hosts)
            _remember_reader(user)
    except webhooks.AddressRefused:
        shown = address[: webhooks.MAX_ADDRESS]
        return _page(request, user, refused_address=shown, status=422)
    return _page(request, user, secret=secret)


def _remove_webhook(request: HttpRequest, user: User) -> HttpResponse:
    Webhook.objects.filter(pk=user.pk).delete()
    messages.success(request, _("The webhook is removed."))
    return redirect("notifications")


def _remove_device(request: HttpRequest, user: User) -> HttpResponse:
    which = request.POST["remove"]
    if re.fullmatch(r"[0-9]{1,18}", which) and subscriptions.unsubscribe(user.pk, int(which)):
        messages.success(request, _("That device no longer gets notifications."))
    return redirect("notifications")


def _test(request: HttpRequest, user: User) -> HttpResponse:
    way = request.POST["test"]
    if way not in Way.values:
        return redirect("notifications")
    if notice_trials.send(user.pk, Way(way)):
        broker.send_periodic(routing.SEND_NOTICES)  # else it goes within a quarter of a minute
    back = "phone" if request.POST.get("back") == "phone" else "notifications"
    return redirect(f"{reverse(back)}#test-{way}")  # where it is said what becomes of it


_DOES: Final = {
    "save": _save,
    "webhook": _set_webhook,
    "webhook_off": _remove_webhook,
    "remove": _remove_device,
    "test": _test,
}


# --- what is shown --------------------------------------------------------------------------------


def _page(
    request: HttpRequest,
    user: User,
    *,
    form: NoticeForm | None = None,
    refused_address: str | None = None,
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    preference = _preference(user)
    here = request.session.get(SUBSCRIPTION)
    devices = PushSubscription.objects.filter(owner=user).order_by("-created_at")
    context = push_context(request) | {
        "form": form or NoticeForm(preference=preference),
        "devices": [(device, device.pk == here) for device in devices],
        "channel": preference.channel,
        "channel_told_at": preference.channel and notice_trials.last_told(preference),
        "webhook": Webhook.objects.filter(pk=user.pk).first(),
        "refused_address": refused_address,
        "secret": secret,
        "has_links": bool(settings.STORYKEEP.public_url),
        "missed": _missed(user, preference),
        "trials": notice_trials.last(user.pk),
    }
    return render(request, "registration/notifications.html", context, status=status)


def _missed(user: User, preference: Preference) -> list[tuple[Delivery, str]]:
    """Deliveries that were given up, newest first, and what they would have said."""
    rows = list(
        Delivery.objects.filter(owner=user, state=DeliveryState.GIVEN_UP).order_by("-ended_at")[
            :SHOWN
        ]
    )
    said: dict[Any, list[Message]] = {}
    for message in Message.objects.filter(batch__in=[row.batch for row in rows]).order_by(
        "created_at", "pk"
    ):
        said.setdefault(message.batch, []).append(message)
    return [(row, _title(said.get(row.batch, []), preference)) for row in rows]


def _title(batch: list[Message], preference: Preference) -> str:
    if not batch:
        return ""
    if batch[0].kind == Kind.TEST:  # the words it would have brought did not come true
        return _("Test message")
    return write(
        batch,
        names=True,
        language=get_language() or "",
        zone=timezone.get_current_timezone(),
        now=timezone.now(),
    ).title

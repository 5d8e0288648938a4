"""The site as a progressive web app: manifest, service worker, offline page, instructions."""

from __future__ import annotations

import json

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from jobs.pages import qr, share_target
from webapp import notice_pages, notice_trials
from webapp.context import theme

SHELL = (
    "tokens.css",
    "base.css",
    "forms.css",
    "parts.css",
    "rows.css",
    "home.css",
    "history.css",
    "job.css",
    "lines.css",
    "tiles.css",
    "contact-sheet.css",
    "menus.css",
    "dialogs.css",
    "naming.css",
    "watching.css",
    "viewer.css",
    "viewer-facts.css",
    "text.css",
    "icons.svg",
    "icon.svg",
    "shell.js",
    "attention.js",
    "classify.js",
    "clipboard.js",
    "clocks.js",
    "confirm.js",
    "copy.js",
    "forget.js",
    "gutter.js",
    "held-forms.js",
    "keys.js",
    "menus.js",
    "open-file.js",
    "packing.js",
    "paste.js",
    "progress.js",
    "push.js",
    "requests.js",
    "share-plan.js",
    "share.js",
    "tab.js",
    "viewer-stage.js",
    "viewer-facts.js",
    "viewer-gestures.js",
    "viewer.js",
    "watching.js",
)
"""The app shell: static files the service worker caches, besides the offline pages."""


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """The web app manifest: the site can be installed, and listed as a share target.

    What a signed-in person's app is sent starts at once (jobs/pages/share_target.py).
    """
    home, share = reverse("home"), share_target.address(request.user)
    content = {
        "id": home,
        "name": "Storykeep",
        "short_name": "Storykeep",
        "description": _("Public TikTok stories, kept before they are gone."),
        "lang": get_language(),
        "start_url": home,
        "scope": home,
        "display": "standalone",
        "background_color": "#f6f6f4",
        "theme_color": "#0c6355",
        "icons": [
            {"src": static("icon.svg"), "type": "image/svg+xml", "sizes": "any"},
            {"src": static("icon-192.png"), "type": "image/png", "sizes": "192x192"},
            {"src": static("icon-512.png"), "type": "image/png", "sizes": "512x512"},
            {
                "src": static("icon-maskable.png"),
                "type": "image/png",
                "sizes": "512x512",
                "purpose": "maskable",
            },
        ],
        # The app shares a title, a text or a link, whichever it likes: the box takes all three.
        "share_target": {
            "action": share,
            "method": "GET" if share == home else "POST",
            "enctype": "application/x-www-form-urlencoded",
            "params": {"title": "title", "text": "text", "url": "url"},
        },
    }
    response = JsonResponse(content, content_type="application/manifest+json")
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The script that caches the shell. Its text names every file, so a change replaces it."""
    home = reverse("home")
    shell = {
        "files": [static(name) for name in SHELL],
        "offline": reverse("offline"),
        "unsent": f"{reverse('offline')}?unsent",
        "look": f"{get_language()} {theme(request)}",
        "icon": static("icon-192.png"),
        "renew": reverse("push_renew"),
        "skip": [home + part for part in ("files/", "api/", "admin/", "health/", "share/")],
    }
    worker = static("service-worker.js")
    response = HttpResponse(
        f"self.shell = {json.dumps(shell)};\nimportScripts({json.dumps(worker)});\n",
        content_type="text/javascript; charset=utf-8",
    )
    response.headers["Cache-Control"] = "no-cache"
    return response


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """The page shown when the instance cannot be reached; with `?unsent`, after sending a form.

    It is cached for whoever uses the browser, and so names nobody.
    """
    response = render(request, "offline.html", {"unsent": "unsent" in request.GET})
    # The service worker keeps the page by this: a sign-in page in its place has status 200, too.
    response.headers["X-Storykeep-Page"] = "offline"
    return response


@login_required
@require_safe
def phone(request: HttpRequest) -> HttpResponse:
    """Instructions to open this instance on a phone, with its address as text and as a QR code; and
    push messages to this one."""
    home = settings.STORYKEEP.absolute_url_for(request, reverse("home"))
    context = {
        "address": home,
        "share_address": f"{home}?text=",
        "jobs_address": f"{home}api/v1/jobs",
        "job_address": f"{home}jobs/",
        "tokens": reverse("tokens"),
        "is_local": qr.is_local(home),
        "is_secure": home.startswith("https:"),
        "code": qr.svg(home, _("This instance as a QR code")),
    }
    context |= notice_pages.push_context(request)
    if context.get("push_here"):
        context["trials"] = notice_trials.last(request.user.pk or 0)
    response = render(request, "phone.html", context)
    response.headers["Cache-Control"] = "private, no-store"
    return response

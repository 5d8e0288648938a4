"""Django settings of the worker: those of the site, without the apps that only serve pages."""

from __future__ import annotations

from webapp.settings import *  # noqa: F403 (it is all of them that count)
from webapp.settings import INSTALLED_APPS as _ALL

_PAGES_ONLY = (
    "webapp.admin_app", "django.contrib.messages", "ninja", "whitenoise", "allauth",
)  # fmt: skip
INSTALLED_APPS = [app for app in _ALL if not app.startswith(_PAGES_ONLY)]

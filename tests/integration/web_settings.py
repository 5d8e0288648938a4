"""The settings of a web process in tests: the environment, and static files from their sources."""

from __future__ import annotations

from webapp.settings import *  # noqa: F403
from webapp.settings import STORAGES

STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True

"""The app config of `webapp`, which has commands and static files, but no models."""

from django.apps import AppConfig


class WebappConfig(AppConfig):
    """The site. Its Celery app is named in the settings, and loaded by whoever sends first."""

    name = "webapp"

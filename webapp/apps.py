"""The app config of `webapp`, which has commands and static files, but no models."""

from django.apps import AppConfig


class WebappConfig(AppConfig):
    """The site. The Celery app is the worker's alone: messages are sent without it."""

    name = "webapp"

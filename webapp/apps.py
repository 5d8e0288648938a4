"""The app config of `webapp`, which has commands and static files, but no models."""

from django.apps import AppConfig


class WebappConfig(AppConfig):
    """The site. Its Celery app is named in the settings, and loaded by whoever sends first."""

    name = "webapp"

    def ready(self) -> None:
        """Have every connection to the database begin with its limits."""
        from webapp import database

        database.install()

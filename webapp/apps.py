"""The app config of `webapp`, which has commands and static files, but no models."""

from django.apps import AppConfig


class WebappConfig(AppConfig):
    """Makes our Celery app the current one when Django starts."""

    name = "webapp"

    def ready(self) -> None:
        """Import the Celery app, so that messages go through it wherever they are sent from.

        In the web process it would be loaded by the first paste otherwise, which would wait for it.
        """
        from webapp import celery  # noqa: F401 (importing it is what binds)

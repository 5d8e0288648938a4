"""The app config of `webapp`, which has commands and static files, but no models."""

from django.apps import AppConfig


class WebappConfig(AppConfig):
    """Binds the tasks to the Celery app when Django starts."""

    name = "webapp"

    def ready(self) -> None:
        """Import the Celery app, so that tasks are bound to it wherever they are sent from."""
        from webapp import celery  # noqa: F401 (importing it is what binds)

"""How Django knows this room: it has commands and static files, but no models."""

from django.apps import AppConfig


class WebappConfig(AppConfig):
    """The wiring."""

    name = "webapp"

    def ready(self) -> None:
        """Bind tasks to our Celery app wherever they are sent from."""
        from webapp import celery  # noqa: F401 (importing it is what binds)

"""The app config of `webapp`, which has commands and static files, but no models."""

from django.apps import AppConfig


class WebappConfig(AppConfig):
    """The site. Its Celery app is named in the settings, and loaded by whoever sends first."""

    name = "webapp"

    def ready(self) -> None:
        """Have every connection to the database begin with its limits, and push messages end with
        their browser's session."""
        from accounts import ended_sessions
        from webapp import database
        from webapp.notice_sessions import PushSessions

        database.install()
        ended_sessions.listeners.append(PushSessions())

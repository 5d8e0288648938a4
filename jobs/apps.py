"""The app config of `jobs`."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Jobs, items, stories and artifacts."""

    name = "jobs"
    verbose_name = "Storykeep"

"""The admin's app, with the site of `webapp.admin_site` in place of Django's."""

from __future__ import annotations

from django.contrib.admin.apps import SimpleAdminConfig


class AdminConfig(SimpleAdminConfig):
    """The admin. `urls.py` loads what it shows, for the worker need not."""

    default_site = "webapp.admin_site.StorykeepAdminSite"

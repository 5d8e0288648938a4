"""The app config of `notices`."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NoticesConfig(AppConfig):
    """The outbox, and where its messages go."""

    name = "notices"
    verbose_name = _("Notifications")

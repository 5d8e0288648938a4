"""The admin's pages about people: role, usage, limits; block, delete, sign out.

They stand here and not in `accounts` because usage is known to `jobs`. People are added by
invitation alone, and only admins see these pages, whatever permissions a member may have.
"""

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.utils.translation import gettext_lazy as _

from accounts import signin
from webapp.admin import (
    backups,
    notices,
    people,
    problems,
    protocol,
    system,
    watching,
    ways,
)
from webapp.admin.person import PersonAdmin

__all__ = [
    "PersonAdmin",
    "backups",
    "notices",
    "people",
    "problems",
    "protocol",
    "system",
    "watching",
    "ways",
]

# Django's own name for it stands for groups and rights, which nobody here has to know of.
apps.get_app_config("auth").verbose_name = _("People")
admin.site.unregister(User)
admin.site.unregister(Group)  # roles are member and admin, nothing else
admin.site.unregister(signin.PRIVATE_MODELS)
if apps.is_installed("allauth.socialaccount"):
    from accounts.oidc import links

    admin.site.unregister(links.PRIVATE_MODELS)
admin.site.register(User, PersonAdmin)

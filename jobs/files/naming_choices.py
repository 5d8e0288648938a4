"""How a person wants their files named: what they have chosen, and choosing it."""

from __future__ import annotations

from django.conf import settings

from jobs import name_template
from jobs.models import NamingChoice


def own_template(owner_id: int) -> str:
    """A user's own template; "" for none, so that the instance's holds."""
    chosen = NamingChoice.objects.filter(owner_id=owner_id).values_list("template", flat=True)
    return chosen.first() or ""


def choose(owner_id: int, template: str) -> None:
    """Name the files of a user's jobs by this template from now on; "" = as the instance does.

    Raises TemplateRefused.
    """
    if not template or template == settings.STORYKEEP.filename_template:
        NamingChoice.objects.filter(owner_id=owner_id).delete()
        return
    name_template.parse(template)
    NamingChoice.objects.update_or_create(owner_id=owner_id, defaults={"template": template})

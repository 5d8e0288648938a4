"""Form fields as our pages show them."""

from __future__ import annotations

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def input_alone(field: BoundField) -> SafeString:
    """The input without a placeholder, which would only say its label again."""
    return field.as_widget(attrs={"placeholder": False})

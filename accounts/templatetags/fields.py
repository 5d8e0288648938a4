"""Template filters for form fields."""

from __future__ import annotations

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def input_alone(field: BoundField) -> SafeString:
    """The input of a field without a placeholder, which would only repeat its label."""
    return field.as_widget(attrs={"placeholder": False})

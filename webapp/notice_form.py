"""The form of how a member wants to be told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from notices.models import Channel, Preference, Webhook

_HOURS: Final = [(str(hour), f"{hour:02}:00") for hour in range(24)]
_QUIET_UNTIL: Final = 7
"""Unless one says so."""


def _when() -> Iterable[tuple[str, Any]]:
    """Asked for with each form, for the words are in the language of its reader."""
    yield "", _("As it happens")
    for hour, text in _HOURS:
        yield hour, _("Once a day, at %s") % text


def _hour(text: str) -> int | None:
    return int(text) if text else None


class NoticeForm(forms.Form):
    """What is told, when, and by which channel."""

    own = forms.TypedChoiceField(
        label=_("What"),
        choices=[("yes", _("Everything I save")), ("no", _("Only what watches find"))],
        coerce=lambda text: text == "yes",
    )
    digest_hour = forms.TypedChoiceField(
        label=_("When"),
        choices=_when,
        coerce=_hour,
        empty_value=None,
        required=False,
    )
    quiet_from = forms.TypedChoiceField(
        label=_("Quiet from"),
        choices=[("", _("No quiet hours")), *_HOURS],
        coerce=_hour,
        empty_value=None,
        required=False,
    )
    quiet_until = forms.TypedChoiceField(
        label=_("Quiet until"),
        choices=[("", "–"), *_HOURS],
        coerce=_hour,
        empty_value=None,
        required=False,
        help_text=_(
            "All hours are on the clock of the device this is saved on. A message once a day comes "
            "at its hour, also within quiet hours."
        ),
    )
    channel = forms.ModelChoiceField(
        label=_("Channel"),
        queryset=Channel.objects.all(),
        empty_label=_("None"),
        required=False,
        help_text=_("Whoever runs this instance has set these up."),
    )
    names = forms.BooleanField(
        label=_("Name accounts in channel and webhook messages"),
        required=False,
        help_text=_(
            "Otherwise a channel or webhook only says how many. Others may be able to read it."
        ),
    )

    def __init__(self, data: Any = None, *, preference: Preference) -> None:
        """preference: of the member, saved or not."""
        super().__init__(
            data,
            initial={
                "own": "yes" if preference.own else "no",
                "digest_hour": _text(preference.digest_hour),
                "quiet_from": _text(preference.quiet_from),
                "quiet_until": _text(preference.quiet_until),
                "channel": preference.channel_id,
                "names": preference.names,
            },
        )
        has_channels = Channel.objects.exists()
        if not has_channels:
            del self.fields["channel"]
        if not has_channels and not Webhook.objects.filter(pk=preference.owner_id).exists():
            del self.fields["names"]

    def clean(self) -> dict[str, Any]:
        """The answers. Quiet hours end at seven unless one says so; an error where they could not,
        where their beginning is missing, or where they would be none."""
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        begins = answers.get("quiet_from")
        if answers.get("quiet_until", 0) is None and begins not in {None, _QUIET_UNTIL}:
            answers["quiet_until"] = _QUIET_UNTIL
        if (answers.get("quiet_from") is None) != (answers.get("quiet_until") is None):
            self.add_error("quiet_until", _("Choose when quiet hours begin and when they end."))
        elif begins is not None and begins == answers.get("quiet_until"):
            self.add_error("quiet_until", _("Quiet hours cannot end at the hour they begin."))
        return answers

    def fill(self, preference: Preference) -> None:
        """Put the answers into a preference, which is not saved yet."""
        answers = self.cleaned_data
        preference.own = answers["own"]
        preference.digest_hour = answers["digest_hour"]
        preference.quiet_from = answers["quiet_from"]
        preference.quiet_until = answers["quiet_until"]
        if "channel" in self.fields:
            preference.channel = answers["channel"]
        if "names" in self.fields:
            preference.names = answers["names"]


def _text(hour: int | None) -> str:
    return "" if hour is None else str(hour)

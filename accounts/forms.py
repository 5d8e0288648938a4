"""What people fill in about accounts, tokens and invitations."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import invitations
from accounts.models import Scope


class TokenForm(forms.Form):
    """A new API token."""

    name = forms.CharField(
        label=_("What it is for"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    scope = forms.ChoiceField(
        label=_("What it may do"),
        choices=[
            (Scope.READ, _("Look and download")),
            (Scope.WRITE, _("Everything: save, retry, delete")),
        ],
        initial=Scope.READ,
    )
    days = forms.TypedChoiceField(
        label=_("How long it works"),
        choices=[
            (30, _("30 days")),
            (90, _("90 days")),
            (365, _("A year")),
            (0, _("Until I end it")),
        ],
        coerce=int,
        initial=90,
    )

    def expires_at(self) -> datetime | None:
        """When it ends; None for never."""
        days: int = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None


class InvitationForm(forms.Form):
    """A new invitation."""

    whom = forms.CharField(
        label=_("For whom"),
        max_length=100,
        required=False,
        help_text=_("A reminder for you; they do not see it."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[
            ("member", _("Member: saves stories")),
            ("admin", _("Admin: also runs this instance")),
        ],
        initial="member",
    )
    days = forms.TypedChoiceField(
        label=_("The link works for"),
        choices=[(1, _("a day")), (invitations.DAYS, _("7 days")), (30, _("30 days"))],
        coerce=int,
        initial=invitations.DAYS,
    )

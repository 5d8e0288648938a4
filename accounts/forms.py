"""Forms for new accounts, API tokens and invitations."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import invitations, username_lookalikes
from accounts.models import Scope
from accounts.passwords import RULES

# Only the type stubs know it as generic.
if TYPE_CHECKING:
    _UserForm = UserCreationForm[User]
else:
    _UserForm = UserCreationForm


class AccountForm(_UserForm):
    """Name and password of a new account."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = self.fields["username"]
        name.label = _("Username")
        name.help_text = _("Letters, digits and @ . + - _")
        self.fields["password1"].help_text = RULES
        again = self.fields["password2"]
        again.label, again.help_text = _("Password again"), ""

    def clean_username(self) -> str:
        """The name in its normal form. Raises ValidationError for a look-alike of another."""
        name = super().clean_username()
        if not name:  # Django has found a mistake already
            return name
        return username_lookalikes.validated(name)


class TokenForm(forms.Form):
    """A new API token."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    scope = forms.ChoiceField(
        label=_("Permission"),
        choices=[
            (Scope.WRITE, _("Everything: save, retry, delete")),
            (Scope.READ, _("Read only")),
        ],
        initial=Scope.WRITE,
    )
    days = forms.TypedChoiceField(
        label=_("Expires after"),
        choices=[
            (30, _("30 days")),
            (90, _("90 days")),
            (365, _("1 year")),
            (0, _("Never")),
        ],
        coerce=int,
        initial=90,
    )

    def expires_at(self) -> datetime | None:
        """The moment a token of the chosen duration expires; None for never."""
        days: int = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None


class InvitationForm(forms.Form):
    """A new invitation."""

    whom = forms.CharField(
        label=_("For"),
        max_length=100,
        required=False,
        help_text=_("Only you see this."),
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
        label=_("Expires after"),
        choices=[(1, _("1 day")), (invitations.DEFAULT_DAYS, _("7 days")), (30, _("30 days"))],
        coerce=int,
        initial=invitations.DEFAULT_DAYS,
    )

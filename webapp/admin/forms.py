"""Forms of the people admin: name and mail address of a person, and their own limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import TypeAdapter

from accounts import mail, signin, username_lookalikes
from accounts.forms import InvitationForm
from jobs.models import Quota
from webapp.env_types import Size, written_size

# Only the type stubs know it as generic.
if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[User]
    _QuotaForm = forms.ModelForm[Quota]
else:
    _ModelForm = _QuotaForm = forms.ModelForm

_SIZE: Final[TypeAdapter[int]] = TypeAdapter(Size)


class PersonForm(_ModelForm):
    """A person's name and mail address. Passwords are theirs alone; all else is an action."""

    class Meta:
        model = User
        fields = ("username", "email")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Compared with what the page showed, not with the row: its person may have changed the
        # address since.
        self.fields["email"].show_hidden_initial = True

    def clean_username(self) -> str:
        """The name in its normal form. Raises ValidationError for a look-alike of another."""
        name: str = self.cleaned_data["username"]
        return (
            username_lookalikes.validated(name, self.instance)
            if "username" in self.changed_data
            else name
        )

    def clean_email(self) -> str:
        """The address in lower case, as it is stored. Raises ValidationError when taken."""
        email: str = self.cleaned_data["email"].lower()
        if "email" in self.changed_data and signin.is_email_taken(email, self.instance):
            raise forms.ValidationError(_("Someone else here has this address."))
        return email


class SizeField(forms.CharField):
    """A number of bytes, written as in the settings: `5GB`."""

    def prepare_value(self, value: Any) -> Any:
        """The number as in the settings; other values as they are."""
        return written_size(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        """The number of bytes; None when empty. Raises ValidationError."""
        text = super().clean(value)
        try:
            return int(_SIZE.validate_python(text)) if text else None
        except ValueError as error:
            raise forms.ValidationError(_("Write a size like 500MB or 10GB.")) from error


class QuotaForm(_QuotaForm):
    """Limits of one person; an empty field means the limit of the instance."""

    stored_bytes = SizeField(
        label=gettext_lazy("Bytes of saved files"),
        required=False,
        help_text=gettext_lazy("Such as 500MB or 10GB."),
    )

    class Meta:
        model = Quota
        fields = ("active_items", "items_per_day", "stored_bytes")


class InvitePersonForm(InvitationForm):
    """An invitation that can be sent by mail, where this instance can send any."""

    email = forms.EmailField(
        label=gettext_lazy("Send it to"),
        required=False,
        help_text=gettext_lazy("A mail address; leave it empty to pass the link on yourself."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not mail.is_configured():
            del self.fields["email"]

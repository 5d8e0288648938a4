"""The admin of channels, and a list of deliveries to look at. For admins alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.admin.read_only import moment_column
from jobs.admin.safe_lookups import SafeLookupsAdmin
from notices import channels
from notices.models import Channel, Delivery

# Only the type stubs know it as generic.
if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Channel]
else:
    _ModelForm = forms.ModelForm

_ADDRESS: Final = gettext_lazy(
    "As Apprise writes it, e.g. ntfys://ntfy.example.org/stories-{user}. {user} stands for the "
    "username of the member who is told. It is stored encrypted and never shown again."
)
_KEPT: Final = gettext_lazy("Leave it empty to keep the address there is.")


class ChannelForm(_ModelForm):
    """A channel's name and, write-only, its address."""

    new_address = forms.CharField(
        label=gettext_lazy("Address"),
        help_text=_ADDRESS,
        required=False,
        max_length=channels.MAX_ADDRESS,
        widget=forms.PasswordInput(
            attrs={"class": "vTextField", "autocomplete": "off", "spellcheck": "false"}
        ),
    )

    class Meta:
        model = Channel
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.address:
            self.fields["new_address"].help_text = _KEPT

    def clean_new_address(self) -> str:
        """The address, put into the channel. Raises ValidationError for one that Apprise does not
        know; its words never repeat it."""
        address: str = self.cleaned_data["new_address"].strip()
        if not address and self.instance.address:
            return ""
        try:
            channels.set_address(self.instance, address)
        except channels.AddressRefused as error:
            raise forms.ValidationError(
                _("Apprise knows no service by this address. Enter it again.")
            ) from error
        return ""


class _AdminsAlone(SafeLookupsAdmin):
    """Rows that superusers see, whatever rights others of the staff may have."""

    list_per_page = 50

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, headed by what is in it."""
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    def get_action_choices(self, request: HttpRequest, default_choices: Any = None) -> Any:
        """The actions, under a word and not under dashes."""
        return super().get_action_choices(request, default_choices or [("", _("Choose"))])

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Permission for admins alone."""
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Permission to look, for admins alone."""
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Permission to add, for admins alone."""
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Permission to change, for admins alone."""
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Permission to delete, for admins alone."""
        return self.has_module_permission(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Whether a filter in the URL is one of those shown: any other would answer guesses."""
        return lookup.partition("__")[0] in self.list_filter


class ChannelAdmin(_AdminsAlone):
    """Channels that members may pick. Their addresses are never shown."""

    form = ChannelForm
    list_display = ("name", "masked", moment_column(Channel, "created_at"))
    ordering = ("name",)

    @admin.display(description=gettext_lazy("address"))
    def masked(self, channel: Channel) -> str:
        """`ntfys://••••••`."""
        return f"{channel.scheme}://••••••"


class DeliveryAdmin(_AdminsAlone):
    """What was sent to whom by which way, and what became of it: never what it said, nor where a
    member has it sent to."""

    list_display = (
        "owner", "way", "state", "reason", "tries", moment_column(Delivery, "created_at"),
        moment_column(Delivery, "ended_at"),
    )  # fmt: skip
    list_display_links = None
    fields = ("owner", "way", "state", "reason", "tries", "created_at", "ended_at")
    list_filter = ("way", "state")
    list_select_related = ("owner",)
    ordering = ("-created_at",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Always False: deliveries come of messages."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Always False: what became of them is noted by who sends."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Always False: they go after a week."""
        return False


admin.site.register(Channel, ChannelAdmin)
admin.site.register(Delivery, DeliveryAdmin)

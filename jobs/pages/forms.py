"""The form of the home page, and the search of the history."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from jobs.models import Audio, Prefer
from jobs.queue.submission import Options
from jobs.states import ItemState
from stories.targets import find_lines

NOTE_LENGTH = 500


class PasteForm(forms.Form):
    """Names and links as pasted, a note, and the options. Lines are counted by `submission`."""

    text = forms.CharField(
        strip=False,
        error_messages={"required": _("Paste a name or a link first.")},
    )
    note = forms.CharField(required=False, max_length=NOTE_LENGTH)
    prefer = forms.ChoiceField(choices=Prefer.choices, required=False)
    posts = forms.BooleanField(required=False)
    audio = forms.ChoiceField(choices=Audio.choices, required=False)

    def lines(self) -> list[str]:
        """The lines found in `text`. Only for a valid form."""
        return find_lines(self.cleaned_data["text"])

    def options(self) -> Options:
        """The options of the job. Only for a valid form."""
        return Options(
            prefer=Prefer(self.cleaned_data["prefer"] or Prefer.COMPATIBLE),
            posts=self.cleaned_data["posts"],
            audio=Audio(self.cleaned_data["audio"] or Audio.NONE),
        )


class SearchForm(forms.Form):
    """Words to narrow the history down to, and a state or that watches found it."""

    FOUND = "found"

    q = forms.CharField(required=False, max_length=200)
    state = forms.ChoiceField(choices=[*ItemState.choices, (FOUND, "")], required=False)

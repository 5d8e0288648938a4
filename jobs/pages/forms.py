"""What the box on the home page holds, and the search above the history."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from jobs.models import Audio, Prefer
from jobs.queue.submission import Options
from jobs.states import ItemState
from stories.targets import find_lines

NOTE_LENGTH = 500


class PasteForm(forms.Form):
    """Names and links as pasted, a note, and the options.

    How many lines there may be is `submission`'s business; this only reads the fields.
    """

    text = forms.CharField(
        strip=False,
        error_messages={"required": _("Paste a name or a link first.")},
    )
    note = forms.CharField(required=False, max_length=NOTE_LENGTH)
    prefer = forms.ChoiceField(choices=Prefer.choices, required=False)
    posts = forms.BooleanField(required=False)
    audio = forms.ChoiceField(choices=Audio.choices, required=False)

    def lines(self) -> list[str]:
        """The lines to submit. Only for a valid form."""
        return find_lines(self.cleaned_data["text"])

    def options(self) -> Options:
        """What to save and how. Only for a valid form."""
        return Options(
            prefer=Prefer(self.cleaned_data["prefer"] or Prefer.COMPATIBLE),
            posts=self.cleaned_data["posts"],
            audio=Audio(self.cleaned_data["audio"] or Audio.NONE),
        )


class SearchForm(forms.Form):
    """What to look for in the history."""

    q = forms.CharField(required=False, max_length=200)
    state = forms.ChoiceField(choices=ItemState.choices, required=False)

"""User names the eye can tell apart: letters of one alphabet, and nobody's look-alike.

By hand, from what Python knows of Unicode: the libraries for it carry tables of all its characters,
years old, for something asked when someone joins.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_TOGETHER: Final = dict.fromkeys(
    ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"), "CJK"
)
"""Written side by side in one word; none of them looks like a letter of ours."""

_CYRILLIC: Final = str.maketrans("авекмнорстухѕіїјһԁԛԝӏ", "abekmhopctyxsiijhdqwl")
_GREEK: Final = str.maketrans("αβγεζηικμνορτυχϲϳ", "abyezhikmvoptuxcj")
_LATIN: Final = str.maketrans("ıɑɡ", "iag")


def checked(name: str, but: User | None = None) -> str:
    """The name in its normal form. Raises ValidationError when it mixes alphabets or looks like
    that of somebody else than `but`."""
    name = unicodedata.normalize("NFKC", name)
    if len(alphabets(name)) > 1:
        raise ValidationError(_("Please use letters of one alphabet only."))
    others = User.objects.exclude(pk=but.pk) if but else User.objects.all()
    mine = look(name)
    if any(look(other) == mine for other in others.values_list("username", flat=True)):
        raise ValidationError(_("A name that looks like this one is taken."))
    return name


def alphabets(name: str) -> set[str]:
    """Whose letters and digits these are, by their names in Unicode; 0 to 9 belong to all."""
    found = set()
    for letter in name:
        # Modifiers go with any alphabet: the mark that repeats a sign, the apostrophe of Hawaii.
        own = letter.isalnum() and unicodedata.category(letter) != "Lm"
        if own and not ("0" <= letter <= "9"):
            words = unicodedata.name(letter, "UNKNOWN").removeprefix("EXTENDED ").split()
            first = words[0].partition("-")[0]
            found.add(_TOGETHER.get(first, first))
    return found


def look(name: str) -> str:
    """The same for names that look the same, in capitals or not."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    plain = "".join(
        letter
        for letter in plain
        if not unicodedata.name(letter, "").startswith("MODIFIER")  # hardly seen
    )
    return plain.translate(_CYRILLIC).translate(_GREEK).translate(_LATIN)

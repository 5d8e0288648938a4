"""User names the eye can tell apart: letters of one script, and no look-alike of another name.

Written by hand on Python's own Unicode data: libraries for it carry tables of all characters, years
old, for a check that is made when someone joins.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_MAX_FREE: Final = 140
"""Characters of a name that may still get a number; a name has 150 at most."""
_NAMELESS: Final = "member"

_ONE_SCRIPT: Final = dict.fromkeys(
    ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"), "CJK"
)
"""Scripts that are mixed within a word; none of their letters looks like a Latin one."""

_CYRILLIC: Final = str.maketrans("авекмнорстухѕіїјһԁԛԝӏ", "abekmhopctyxsiijhdqwl")
_GREEK: Final = str.maketrans("αβγεζηικμνορτυχϲϳ", "abyezhikmvoptuxcj")
_LATIN: Final = str.maketrans("ıɑɡ", "iag")


def validated(name: str, owner: User | None = None) -> str:
    """The name in its normal form (NFKC).

    owner: who has the name now, if anyone. Raises ValidationError when it mixes scripts, or has the
    skeleton of somebody else's name.
    """
    name = unicodedata.normalize("NFKC", name)
    if len(scripts(name)) > 1:
        raise ValidationError(_("Please use letters of one alphabet only."))
    others = User.objects.exclude(pk=owner.pk) if owner else User.objects.all()
    own = skeleton(name)
    if any(skeleton(other) == own for other in others.values_list("username", flat=True)):
        raise ValidationError(_("A name that looks like this one is taken."))
    return name


def scripts(name: str) -> set[str]:
    """The scripts of letters and digits, by their Unicode names (`LATIN`); 0 to 9 belong to all."""
    names = set()
    for letter in name:
        # Modifiers go with any script: the mark that repeats a sign, the apostrophe of Hawaii.
        has_script = letter.isalnum() and unicodedata.category(letter) != "Lm"
        if has_script and not ("0" <= letter <= "9"):
            words = unicodedata.name(letter, "UNKNOWN").removeprefix("EXTENDED ").split()
            first = words[0].partition("-")[0]
            names.add(_ONE_SCRIPT.get(first, first))
    return names


def skeleton(name: str) -> str:
    """A form that is equal for names that look alike, whatever their case (cf. UTS #39)."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    plain = "".join(
        letter
        for letter in plain
        if not unicodedata.name(letter, "").startswith("MODIFIER")  # hardly seen
    )
    return plain.translate(_CYRILLIC).translate(_GREEK).translate(_LATIN)


def free_name(wanted: str) -> str:
    """A name like `wanted` that nobody has and that looks like nobody's.

    What a name may not hold is left out, as is the domain of a mail address; of several scripts
    ASCII stays. Where the name is taken a number follows.
    """
    name = unicodedata.normalize("NFKC", wanted).partition("@")[0]
    name = "".join(letter for letter in name if letter.isalnum() or letter in "_.+-")
    if len(scripts(name)) > 1:
        name = "".join(letter for letter in name if letter.isascii())
    name = name[:_MAX_FREE].strip(".+-") or _NAMELESS
    taken = {skeleton(other) for other in User.objects.values_list("username", flat=True)}
    number = 1
    free = name
    while skeleton(free) in taken:
        number += 1
        free = f"{name}{number}"
    return free

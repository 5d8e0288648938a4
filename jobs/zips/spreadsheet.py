"""A CSV that survives a spreadsheet: text that stays text, numbers in its language.

Excel, LibreOffice, Numbers and Google Sheets guess what a cell is, and write back what they
guessed: of nineteen digits the last four become zeros, `1-2` and `mar.1` become dates, and a cell
that begins with `=` is a program. An apostrophe before such a text keeps it, also when the file is
saved and opened again; it is the same mark for all of these.
"""

from __future__ import annotations

import re
from typing import Final

from jobs.wording import COMMA, Dialect

_FORMULA = re.compile(r"(^|[;,\t\r\n])([\s'\"]*)([=+\-@\t\r＝＋－＠])")
_WORD = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"\d")
_MONTHS: Final = (
    "jan january januar jän jänner feb february februar mar march mär märz mrz apr april may mai "
    "jun june juni jul july juli aug august sep sept september oct october okt oktober nov "
    "november dec december dez dezember"
)
_PARTS_OF_VALUES: Final = frozenset({"e", "a", "p", "am", "pm", *_MONTHS.split(" ")})
"""Words that stand in numbers, times and dates, in English and German."""
_VALUES: Final = frozenset({"true", "false", "wahr", "falsch"})


def cell(value: object, dialect: Dialect = COMMA) -> str:
    """A value as the text of a cell.

    Numbers stay numbers. A text that a spreadsheet would take for a number, a date, a truth value
    or a formula, whatever it splits cells at, begins with an apostrophe.
    """
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value).replace(".", dialect.decimal)
    text = _FORMULA.sub(r"\1\2'\3", str(value).replace("\0", ""))
    return f"'{text}" if _is_value(text) else text


def _is_value(text: str) -> bool:
    """Whether a spreadsheet may take a text for a value: digits, and no word of a sentence."""
    words = {word.casefold() for word in _WORD.findall(text)}
    if _DIGIT.search(text):
        return words <= _PARTS_OF_VALUES and not text.startswith("'")
    return text.strip().casefold() in _VALUES

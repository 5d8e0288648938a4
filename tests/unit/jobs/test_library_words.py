"""Each reason a row may have has its words."""

from __future__ import annotations

import re
from pathlib import Path

import jobs.library
from jobs import library_words

_GIVEN = re.compile(
    r"""(?:give_up|put_off)\(row, "(\w+)"|(?:return|Gone:|Damaged:|NoName:) "(\w+)\""""
    r"""|code = "(\w+)\"|all_wait\("(\w+)"|send_reason="(\w+)\""""
)


def test_every_reason_that_is_given_has_words() -> None:
    folder = Path(jobs.library.__file__).parent
    given = set()
    for name in ("run.py", "immich.py", "sending.py"):
        for match in _GIVEN.finditer((folder / name).read_text()):
            given |= set(filter(None, match.groups()))
    assert given >= {"away", "full", "gone", "damaged", "unreachable"}
    assert given <= set(library_words.WORDS)


def test_an_unknown_reason_has_none() -> None:
    assert library_words.words("") == ""
    assert library_words.words("full")

"""The files of a run: a folder for each author, or none."""

from __future__ import annotations

import pytest

from jobs.lines import Line
from jobs.models import ItemKind
from jobs.standalone.results import LineResult
from jobs.standalone.writer import is_single_author
from stories.targets import parse_line


@pytest.mark.parametrize(
    ("lines", "same"),
    [
        (["@alice"], True),
        (["https://vm.tiktok.com/ZMabc/"], True),
        (["@alice", "https://www.tiktok.com/@alice/story/7500000000000000001"], True),
        (["@alice", "@bob"], False),
        (["@alice", "https://vm.tiktok.com/ZMabc/"], False),
        (["https://vm.tiktok.com/ZMabc/", "https://vm.tiktok.com/ZMabd/"], False),
    ],
)
def test_the_layout_is_known_from_the_lines(lines: list[str], same: bool) -> None:
    results = [
        LineResult(line=Line(text, parse_line(text), None), kind=ItemKind.USER) for text in lines
    ]
    assert is_single_author(results) is same

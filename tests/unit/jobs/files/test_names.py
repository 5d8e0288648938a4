"""File names a person can find again, whatever the author or caption tries."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.files import names
from tests.unit.jobs.files.reserved import is_reserved

AT = datetime(2026, 11, 20, 14, 3, 59, tzinfo=UTC)
# Also the odd ones: controls, bidi marks, unassigned code points, but no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
NASTY = st.text(
    st.sampled_from('./\\: \t\n\0\u202e\u200f"<>|?*%~-=@+_aAé\u0301con\uff0e\uff0f\u2025'),
    max_size=40,
)


def test_a_bundle_of_one_author_says_whose_it_is() -> None:
    assert names.bundle_name(["a", "a"], AT, zone=UTC) == "a_2026-11-20_1403_all.zip"
    assert names.bundle_name(["a", "b"], AT, zone=UTC) == "storykeep_2026-11-20_1403_all.zip"
    assert names.bundle_name([], AT, zone=UTC) == "storykeep_2026-11-20_1403_all.zip"
    assert (
        names.bundle_name(["a"], AT, selection=True, zone=UTC) == "a_2026-11-20_1403_selection.zip"
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("name", "name", id="plain"),
        pytest.param("Zürich 東京 Ελλάδα", "Zürich 東京 Ελλάδα", id="letters-survive"),
        pytest.param("party 🎉", "party 🎉", id="emoji-survive"),
        pytest.param("u\u0308ber", "über", id="composed"),
        pytest.param("../../etc/passwd", "etc_passwd", id="parent"),
        pytest.param("..\\..\\boot.ini", "boot.ini", id="parent-backslash"),
        pytest.param("/absolute", "absolute", id="absolute"),
        pytest.param("C:\\windows", "C__windows", id="drive"),
        pytest.param("a\0b\x1b[31m\r\nc", "ab[31m c", id="controls"),
        pytest.param("gpj.\u202eexe", "gpj.exe", id="bidi-override"),
        pytest.param("zero\u200bwidth\ufeff", "zerowidth", id="invisible"),
        pytest.param("trailing. . .", "trailing", id="trailing-dots"),
        pytest.param(".hidden", "hidden", id="hidden"),
        pytest.param("-rf", "rf", id="option"),
        pytest.param("=1+1", "1+1", id="formula"),
        pytest.param("~root", "root", id="home"),
        pytest.param("CON", "CON_", id="device"),
        pytest.param("con.jpg", "con_.jpg", id="device-with-suffix"),
        pytest.param("nul .txt", "nul_.txt", id="device-with-space"),
        pytest.param("com1.artist", "com1_.artist", id="port"),
        pytest.param("lpt³", "lpt³_", id="superscript-port"),
        pytest.param("console", "console", id="no-device"),
        pytest.param("a\uff0fb", "a_b", id="fullwidth-slash"),
        pytest.param("a\u2025b", "a_b", id="two-dot-leader"),
        pytest.param("a\uff0e\uff0eb", "a__b", id="fullwidth-dots"),
        pytest.param("", "unnamed", id="empty"),
        pytest.param(" . . ", "unnamed", id="nothing-left"),
        pytest.param("\u202e\u200b", "unnamed", id="nothing-visible"),
        pytest.param("50% off?", "50_ off_", id="forbidden"),
    ],
)
def test_tame(text: str, name: str) -> None:
    assert names.safe_filename(text) == name


def test_a_dotted_author_never_makes_a_device() -> None:
    assert names.safe_author("con.artist") == "con_.artist"
    assert names.folder_name("aux") == "aux_"


def test_four_kilobytes_are_cut() -> None:
    assert len(names.safe_filename("é" * 4096).encode()) <= names.NAME_BYTES
    assert len(names.safe_author("東" * 4096).encode()) <= names.AUTHOR_BYTES


def test_an_accent_is_not_left_without_its_letter() -> None:
    zalgo = "a" + "\u0301\u0323" * 200
    cut = names.safe_filename(zalgo, limit=51)
    assert len(cut.encode()) <= 51
    assert cut == "unnamed" or unicodedata.normalize("NFC", cut) == cut


@pytest.mark.parametrize("suffix", ["", "jpg", ".j/pg", ".JPG", "..", ".exe.sh", ". "])
def test_an_odd_suffix_is_not_believed(suffix: str) -> None:
    assert names.checked_suffix(suffix) == ".bin"


def test_an_accent_stays_on_its_letter_where_characters_are_counted() -> None:
    assert names.cut_characters("abcde\u0301f", 5) == "abcd"
    assert names.cut_characters("abc d", 4) == "abc"
    assert names.cut_characters("abc", 5) == "abc"


@given(TEXT | NASTY)
def test_any_text_becomes_one_harmless_part(text: str) -> None:
    name = names.safe_filename(text)

    assert name
    assert len(name.encode()) <= names.NAME_BYTES
    assert PurePosixPath(name).parts == (name,)
    windows = PureWindowsPath(name)
    assert windows.parts == (name,)
    assert not is_reserved(name)
    assert not windows.drive
    assert name not in {".", ".."}
    assert name[0] not in ".-~=+@ "
    assert name[-1] not in ". "
    assert not set(name) & set('<>:"/\\|?*%')
    categories = {unicodedata.category(character) for character in name}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Cn"}
    assert unicodedata.is_normalized("NFC", name)
    for form in ("NFKC", "NFKD"):
        assert not set(unicodedata.normalize(form, name)) & set('<>:"/\\|?*%')
        assert ".." not in unicodedata.normalize(form, name)
    assert names.safe_filename(name) == name


@given(st.lists(TEXT | NASTY | st.sampled_from(["a.jpg", "A.jpg", "a_2.jpg", "é.jpg"])))
def test_names_are_unique_even_where_case_does_not_count(texts: list[str]) -> None:
    taken: set[str] = set()
    for text in texts:
        name = names.unique_name(names.safe_filename(text), taken)
        assert names.collision_key(name) not in taken
        assert len(name.encode()) <= names.NAME_BYTES
        taken.add(names.collision_key(name))
    assert len(taken) == len(texts)


def test_the_second_of_a_name() -> None:
    taken = {names.collision_key(name) for name in ("A.jpg", "a_2.jpg", "plain")}
    assert names.unique_name("a.jpg", taken) == "a_3.jpg"
    assert names.unique_name("Plain", taken) == "Plain_2"
    assert names.unique_name("b.jpg", taken) == "b.jpg"

"""The manifest in a spreadsheet: opened, guessed at, saved, and opened again."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime

import pytest
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from jobs.models import Artifact, Job, Package
from jobs.wording import COMMA, SEMICOLON, Dialect
from jobs.zips import packing
from jobs.zips.archive import manifest
from jobs.zips.spreadsheet import cell
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.zips.making import opened, work

STORY_ID = "7530123456789012345"
POSTED = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)

_VALUE = re.compile(
    r"""\s*(?: [(€$£]? \s* [+-]? [\d.,\s()]+ (?:e[+-]?\d+)? \s* [%)€]?   # a number
        | \d+ \s* [-./:] \s* \d+ (?:\s* [-./:] \s* \d+)* (?:\s*[ap]m?)?  # a date or a time
        | \d+ [-.\s]* (?:jan|feb|m[aä]r|mrz|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])\w* .*
        | (?:jan|feb|m[aä]r|mrz|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]* [-.\s/]* \d+
        | true | false | wahr | falsch
    )\s*""",
    re.VERBOSE | re.IGNORECASE,
)


def guess(text: str) -> str:
    """The text of a cell after a spreadsheet guessed at it: its own, or that of a value."""
    if text.startswith("="):
        return f"formula {text}"
    if _VALUE.fullmatch(text):
        return f"value {text}"
    return text


@pytest.mark.parametrize(
    "text",
    [
        STORY_ID,
        "7" * 16,
        "007",
        "1.5",
        "1,5",
        "1-2",
        "1/2",
        "12:30",
        "1 pm",
        "mar.1",
        "MARCH1",
        "sept2",
        "dec-1",
        "3 mar",
        "3. März",
        "mrz1",
        "okt.2026",
        "1e5",
        "12345e67",
        "1" * 40 + "e" + "2" * 23,
        "+49 30 123456",
        "0049 (30) 123456",
        "50%",
        "$5",
        "5 €",
        "(5)",
        "TRUE",
        "false",
        "Wahr",
        "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦٧٨٩",
        "=1+1",
        "@ann",
        "-2",
        "\t7",
        " 7",
    ],
)
@pytest.mark.parametrize("dialect", [COMMA, SEMICOLON], ids=["comma", "semicolon"])
def test_text_that_looks_like_a_value_stays_text(text: str, dialect: Dialect) -> None:
    written = cell(text, dialect)
    assert guess(written) == written
    assert written.replace("'", "", 1) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "corner.bakery",
        "user123",
        "mars.2",
        "marina1",
        "3 reasons to stay in May",
        "https://www.tiktok.com/@ann/video/7530123456789012345",
        "ann/ann_2026-11-20_1403_01.jpg",
        "2026-11-20T14:03:00Z",
        "c0ffee" * 10 + "12ab",
        "video/mp4",
        "true story",
        "don't",
        "'7530123456789012345",
        "🎉",
    ],
)
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [(8.5, "8.5", "8,5"), (1080, "1080", "1080"), (None, "", ""), (0.0, "0.0", "0,0")],
)
def test_numbers_are_numbers_in_the_readers_spreadsheet(
    value: object, english: str, german: str
) -> None:
    assert cell(value, COMMA) == english
    assert cell(value, SEMICOLON) == german  # 8.5 would be the eighth of May


@given(st.text(max_size=50))
def test_no_cell_is_a_formula(text: str) -> None:
    row = cell(text)
    raw = manifest([[row]]).decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(raw, newline="")))
    assert lines[1:] in ([[row]], [[]])
    for part in row.replace("\t", ";").replace("\r", ";").replace("\n", ";").split(";"):
        assert not part.lstrip(' "').startswith(("=", "+", "-", "@"))


def test_a_hash_that_looks_like_a_number_stays_a_hash() -> None:
    digest = "1" * 40 + "e" + "2" * 23
    assert guess(cell(digest)) == cell(digest) == f"'{digest}"


# --- the manifest of a bundle ---


def make_bundled_job() -> Job:
    """A job whose author, id, caption and note a spreadsheet would like to change."""
    job = make_job(make_user("alice"), note="1-2")
    item = make_item(job, state="done", author_name="mar.1", author_nickname="Älice; 007")
    story = make_story(
        item, tiktok_id=STORY_ID, posted_at=POSTED, captured_at=POSTED, caption='a;b,"c"\n1e5'
    )
    make_artifact(
        story,
        content=b"x",
        name="mar.1_2026-11-20_1403_01.mp4",
        duration_s=8.5,
        width=1080,
    )
    return job


def bundled(job: Job, language: str) -> Artifact:
    with translation.override(language):
        package = packing.request(job)
    with translation.override("en"):  # a worker has no reader
        assert work(package)
    package.refresh_from_db()
    assert package.artifact
    return package.artifact


def manifest_of(artifact: Artifact) -> str:
    with opened(artifact) as archive:
        raw = archive.read("manifest.csv")
    assert raw.startswith(b"\xef\xbb\xbf"), "or Excel shows umlauts as two letters each"
    return raw.decode("utf-8-sig")


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "separator"), [("en", ","), ("de", ";")])
def test_excel_shows_columns_and_the_whole_id(language: str, separator: str) -> None:
    text = manifest_of(bundled(make_bundled_job(), language))
    assert text.startswith(f"file{separator}author{separator}")
    (row,) = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    assert row["story_id"] == f"'{STORY_ID}"
    assert row["author"] == "'mar.1"
    assert row["note"] == "'1-2"
    assert row["caption"] == 'a;b,"c"\n1e5'
    assert row["nickname"] == "Älice; 007"
    assert row["posted_at"] == "2026-11-20T14:03:00Z"
    assert row["duration_s"] == ("8,5" if language == "de" else "8.5")
    texts = set(row) - {"size_bytes", "width", "height", "duration_s"}
    assert all(guess(row[name]) == row[name] for name in texts)


@pytest.mark.django_db
def test_who_asks_again_in_another_language_gets_a_manifest_of_that_language() -> None:
    job = make_bundled_job()
    english, german = bundled(job, "en"), bundled(job, "de")
    assert manifest_of(english).startswith("file,")
    assert manifest_of(german).startswith("file;")
    with translation.override("de"):
        assert packing.request(job).artifact == german
    assert Package.objects.count() == 2


@pytest.mark.django_db
def test_people_of_two_languages_keep_a_zip_each_and_nobody_packs_the_others_away() -> None:
    job = make_bundled_job()
    english, german = bundled(job, "en"), bundled(job, "de")
    for language, own in (("en", english), ("de", german)) * 2:
        with translation.override(language):
            assert packing.request(job).artifact == own
    english.refresh_from_db()
    assert english.expires_at > timezone.now()
    assert Package.objects.count() == 2


@pytest.mark.django_db
def test_the_one_asked_for_last_stays_though_it_was_packed_first() -> None:
    job = make_bundled_job()
    with translation.override("en"):
        english = packing.request(job)
    german = bundled(job, "de")
    assert work(english)
    job.refresh_from_db()
    german.refresh_from_db()
    assert job.bundle
    assert job.bundle.artifact == german
    assert german.expires_at > timezone.now()

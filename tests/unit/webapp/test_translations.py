"""Compiling the translations: when needed, and never to less than there was."""

from __future__ import annotations

import gettext
import os
from pathlib import Path

import polib
import pytest

from tests import catalogue
from webapp.translations import compile_translations

LANGUAGES = [pytest.param(language, path, id=language) for language, path in catalogue.files()]


@pytest.mark.parametrize(("language", "path"), LANGUAGES)
def test_what_was_written_is_what_is_read(language: str, path: Path, tmp_path: Path) -> None:
    """Compiled when missing, again when the words changed, and not otherwise."""
    written = tmp_path / language / "LC_MESSAGES" / "django.po"
    written.parent.mkdir(parents=True)
    written.write_bytes(path.read_bytes())
    compiled = written.with_suffix(".mo")
    compile_translations(tmp_path)
    said = _spoken(compiled)
    for (context, message, plural), forms in catalogue.read(path.read_text()).items():
        if context is None and plural is None:
            assert (said.gettext(message),) == forms
    before = compiled.stat().st_mtime_ns
    compile_translations(tmp_path)
    assert compiled.stat().st_mtime_ns == before
    written.write_text(written.read_text() + '\nmsgid "a new one"\nmsgstr "ein neues"\n')
    os.utime(written, ns=(before + 1, before + 1))
    compile_translations(tmp_path)
    assert _spoken(compiled).gettext("a new one") == "ein neues"
    assert [file.name for file in written.parent.iterdir() if file != written] == ["django.mo"]


def _spoken(compiled: Path) -> gettext.GNUTranslations:
    with compiled.open("rb") as file:
        return gettext.GNUTranslations(file)


@pytest.fixture
def german(tmp_path: Path) -> Path:
    """A written file, not yet compiled."""
    written = tmp_path / "de" / "LC_MESSAGES" / "django.po"
    written.parent.mkdir(parents=True)
    written.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
        'msgid "to the start"\nmsgstr "zum Anfang – los"\n',
        encoding="utf-8",
    )
    return written


def refuse(*_: object, **__: object) -> None:
    """Stands in for writing to a folder that is read-only, or full."""
    raise PermissionError(13, "read-only")


@pytest.mark.parametrize(
    ("owner", "name"), [(polib.POFile, "save_as_mofile"), (Path, "replace")], ids=["save", "rename"]
)
def test_a_folder_that_cannot_be_written_keeps_the_words_it_has(
    german: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    compile_translations(tmp_path)
    compiled = german.with_suffix(".mo")
    before = compiled.read_bytes()
    os.utime(compiled, ns=(0, 0))
    monkeypatch.setattr(owner, name, refuse)
    compile_translations(tmp_path)
    assert compiled.read_bytes() == before
    assert _spoken(compiled).gettext("to the start") == "zum Anfang – los"
    assert sorted(german.parent.iterdir()) == [compiled, german]


@pytest.mark.parametrize(
    ("owner", "name"), [(polib.POFile, "save_as_mofile"), (Path, "replace")], ids=["save", "rename"]
)
def test_a_folder_that_cannot_be_written_and_has_none_is_an_error(
    german: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    monkeypatch.setattr(owner, name, refuse)
    with pytest.raises(PermissionError):
        compile_translations(tmp_path)
    assert list(german.parent.iterdir()) == [german]


def test_a_folder_without_languages_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "django.po").write_text("no catalogue\n", encoding="utf-8")
    compile_translations(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["de", "django.po"]

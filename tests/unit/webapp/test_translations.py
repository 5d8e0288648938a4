"""Compiling the translations: when needed, and never to less than there was."""

from __future__ import annotations

import gettext
import os
from pathlib import Path

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

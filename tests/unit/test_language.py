"""Every word is there in every language, and pages come in the reader's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation

from jobs.errors import BY_CODE, message_and_hint
from jobs.states import ItemState
from jobs.wording import absolute, size, span
from tests import catalogue
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

LANGUAGES = [pytest.param(language, path, id=language) for language, path in catalogue.files()]
PLACE = re.compile(r"%\([a-z_]+\)[sd]|%[sd]|\{[a-z]*\}|</?[a-z]+(?: [a-z]+=\"[^\"]*\")?>|`[^`]+`")


@pytest.mark.parametrize(("language", "path"), LANGUAGES)
def test_every_message_has_its_words(language: str, path: Path) -> None:
    """`make messages` brings them up to date."""
    known = catalogue.read(path.read_text(encoding="utf-8"))
    missing = [key for key in catalogue.wanted() if not all(known.get(key, ("",)))]
    assert not missing, f"{language} lacks {missing}"
    assert not set(known) - set(catalogue.wanted()), f"{language}: run `make messages`"


@pytest.mark.parametrize(("language", "path"), LANGUAGES)
def test_what_is_filled_in_is_the_same_in_every_language(language: str, path: Path) -> None:
    for (_, message, plural), forms in catalogue.read(path.read_text(encoding="utf-8")).items():
        # A singular may say "one" where the others have a number.
        said = [message] if plural is None else [message, plural]
        for form, ours in zip(forms, said, strict=True):
            assert set(PLACE.findall(form)) == set(PLACE.findall(ours)), (language, message)
            assert form.startswith(" ") == message.startswith(" "), (language, message)


def test_every_language_offered_is_complete() -> None:
    offered = {code for code, _ in settings.LANGUAGES}
    assert offered == {"en", *(language for language, _ in catalogue.files())}


def test_the_reader_of_sources_misses_no_kind_of_call(tmp_path: Path) -> None:
    template = tmp_path / "t.html"
    template.write_text(
        "{% load i18n %}{% translate 'a' %}{% translate \"b\" context 'where' %}"
        "{% blocktranslate count n=n %}{{ n }} c{% plural %}{{ n }} cs{% endblocktranslate %}"
        "{% blocktranslate with x=y %}it’s {{ x }} 5%{% endblocktranslate %}{{ _('d') }}"
    )
    assert set(catalogue._in_template(template)) == {
        (None, "a", None),
        ("where", "b", None),
        (None, "%(n)s c", "%(n)s cs"),
        (None, "it’s %(x)s 5%%", None),
        (None, "d", None),
    }
    module = tmp_path / "m.py"
    module.write_text(
        "from django.utils.translation import gettext as _, ngettext, pgettext\n"
        "_('a' 'b'); ngettext('c', 'cs', 2); pgettext('where', 'd'); _(name); other('e')\n"
    )
    assert set(catalogue._in_python(module)) == {
        (None, "ab", None),
        (None, "c", "cs"),
        ("where", "d", None),
    }


# --- German ---------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _english_afterwards() -> Iterator[None]:
    """A request leaves its language behind, for the next one to change."""
    yield
    translation.deactivate()


@pytest.fixture
def client() -> Client:
    """The browser of someone who reads German."""
    browser = Client(headers={"accept-language": "de-AT,de;q=0.9,en;q=0.5"})
    browser.force_login(make_user("alice"))
    return browser


def shown(response: Any) -> str:
    """The page, one space between words."""
    assert response.status_code < 500
    return " ".join(response.content.decode().split())


@pytest.mark.django_db
def test_a_browser_gets_its_own_language(client: Client) -> None:
    page = shown(client.get("/"))
    assert '<html lang="de">' in page
    assert "Storys holen" in page
    assert "Dateien bleiben hier 2 Stunden." in page
    assert '<html lang="en">' in shown(Client(headers={"accept-language": "fr"}).get("/login/"))


@pytest.mark.django_db
def test_the_choice_beats_the_browser(client: Client) -> None:
    page = shown(client.get("/account/"))
    assert 'value="de" lang="de" aria-pressed="true"' in page
    client.post("/preferences/", {"language": "en", "next": "/account/"})
    assert '<html lang="en">' in shown(client.get("/account/"))
    stranger = Client()
    stranger.post("/preferences/", {"language": "de", "next": "/login/"})
    assert "Anmelden" in shown(stranger.get("/login/"))


@pytest.mark.django_db
def test_a_job_is_told_in_german(client: Client) -> None:
    job = make_job(make_user("alice"), settled_at=timezone.now())
    item = make_item(job, name="nora", state=ItemState.DONE, author_id="1", author_name="nora")
    for _ in range(2):
        posted = timezone.now() - timedelta(hours=3)
        story = make_story(item, posted_at=posted, leaves_at=posted + timedelta(hours=24))
        make_artifact(story, content=b"bytes")
    make_item(job, name="gone", state=ItemState.FAILED, error_code="no_such_account")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "2 Dateien gesichert und geprüft" in page
    assert "1 Zeile fehlgeschlagen" in page
    assert "Kein öffentliches Konto mit diesem Namen" in page
    assert "Prüfe die Schreibweise" in page
    tag = client.get(f"/jobs/{job.pk}/progress/")["ETag"]
    client.cookies["django_language"] = "en"
    assert client.get(f"/jobs/{job.pk}/progress/")["ETag"] != tag


def test_errors_dates_sizes_and_spans_in_german() -> None:
    english = {code: message_and_hint(code) for code in BY_CODE}
    with translation.override("de"):
        for code, (message, hint) in english.items():
            said = message_and_hint(code)
            assert said[0] != message, code
            assert not hint or said[1] != hint, code
        assert absolute(datetime(2026, 11, 20, 14, 3, tzinfo=UTC)) == "20. Nov., 14:03 UTC"
        assert size(8_400_000) == "8,4\u00a0MB"
        assert span(timedelta(hours=1)) == "1 Stunde"
        assert span(timedelta(days=30)) == "30 Tage"


@pytest.mark.django_db
def test_help_in_german_has_every_code(client: Client) -> None:
    page = shown(client.get("/help/"))
    assert "Der Eintrag eines Auftrags bleibt 30 Tage." in page  # `nach 30 Tage` would be wrong
    for code in BY_CODE:
        assert f"<code>{code}</code>" in page, code
    with translation.override("de"):
        assert message_and_hint("refused")[0] in page

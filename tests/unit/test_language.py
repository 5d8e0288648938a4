"""Every word is there in every language, and pages come in the reader's own."""

from __future__ import annotations

import functools
import gettext
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation

from jobs.errors import BY_CODE, message_and_hint
from jobs.states import ItemState
from jobs.templatetags.words import when
from jobs.wording import absolute, age, size, span
from tests import catalogue
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

LANGUAGES = [pytest.param(language, path, id=language) for language, path in catalogue.files()]
ROOT = Path(__file__).resolve().parents[2]
wanted = functools.cache(catalogue.wanted)
PLACE = re.compile(r"%\([a-z_]+\)[sd]|%[sd]|\{[a-z]*\}|</?[a-z]+(?: [a-z]+=\"[^\"]*\")?>|`[^`]+`")


@pytest.mark.parametrize(("language", "path"), LANGUAGES)
def test_every_message_has_its_words(language: str, path: Path) -> None:
    """`make messages` brings them up to date."""
    known = catalogue.read(path.read_text(encoding="utf-8"))
    missing = [key for key in wanted() if not all(known.get(key, ("",)))]
    assert not missing, f"{language} lacks {missing}"
    assert not set(known) - set(wanted()), f"{language}: run `make messages`"


@pytest.mark.parametrize(("language", "path"), LANGUAGES)
def test_what_is_filled_in_is_the_same_in_every_language(language: str, path: Path) -> None:
    for (_, message, plural), forms in catalogue.read(path.read_text(encoding="utf-8")).items():
        # A singular may say "one" where the others have a number, unless 0 is singular too.
        singular = plural if plural and language == "fr" else message
        said = [message] if plural is None else [singular, *[plural] * (len(forms) - 1)]
        for form, ours in zip(forms, said, strict=True):
            assert set(PLACE.findall(form)) == set(PLACE.findall(ours)), (language, message)
            assert form.startswith(" ") == message.startswith(" "), (language, message)


GLUED = re.compile(
    r"""\{% translate (?P<q>["'])(?P<words>[^"']*[^:"'])(?P=q)(?![^%]* as )[^%]*%\}(?:\s|<br>)*"""
    r"\{% (?:when|clock) (?![^%]* as )"
)


def test_a_time_stands_within_its_sentence() -> None:
    """Where in a sentence a time belongs is for each language to say."""
    glued = [
        (path.name, found["words"])
        for path in (ROOT / "templates").rglob("*.html")
        for found in GLUED.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not glued


@pytest.mark.parametrize(("language", "path"), LANGUAGES)
def test_every_number_has_its_form(language: str, path: Path) -> None:
    for (_, message, plural), forms in catalogue.read(path.read_text(encoding="utf-8")).items():
        expected = catalogue.form_count(language) if plural else 1
        assert len(forms) == expected, (language, message)


def test_plural_rules_are_those_of_django() -> None:
    """With other rules than Django's own, ours would be a second catalogue to look into."""
    for language, _ in catalogue.files():
        path = Path(django.__file__).parent / f"conf/locale/{language}/LC_MESSAGES/django.mo"
        with path.open("rb") as file:
            theirs = gettext.GNUTranslations(file)
        assert theirs.info()["plural-forms"] == catalogue.PLURALS[language]


@pytest.mark.parametrize(("language", "path"), LANGUAGES)
def test_no_sentence_is_left_in_english(language: str, path: Path) -> None:
    """Names and single words may be the same; three words in a row are not."""
    for (_, message, plural), forms in catalogue.read(path.read_text(encoding="utf-8")).items():
        if plural is None and len(re.findall(r"[a-z]{2,}", PLACE.sub("", message))) > 2:
            assert forms[0] != message, (language, message)


@pytest.mark.parametrize(("language", "path"), LANGUAGES)
def test_words_are_set_as_the_language_wants_it(language: str, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for (_, message, _), forms in catalogue.read(text).items():
        for form in forms:
            assert "  " not in form, (language, message)
            assert form == form.strip() or message != message.strip(), (language, message)
            assert form == catalogue.typeset(form, language), (language, message)
            assert '"' not in PLACE.sub("", form), (language, message)  # it may be an attribute's
            if language != "de":
                assert "'" not in form, (language, message)
            ends = tuple(".!?:…")
            if message.endswith(".") and not message.endswith("{}."):
                assert form.endswith(ends), (language, message)


@pytest.mark.parametrize(("language", "path"), LANGUAGES)
def test_one_of_many_is_one(language: str, path: Path) -> None:
    """`1 fichiers sur 4`: where the form goes by the whole, the words fit any part of it."""
    for (_, message, plural), forms in catalogue.read(path.read_text(encoding="utf-8")).items():
        part = re.search(r"(%\(\w+\)[sd]|\{done\}) of (?:%\(\w+\)[sd]|\{\})", plural or message)
        if part and "left" not in part[1]:  # the form goes by what is left
            said = forms[-1].replace(part[1], "1")
            assert not re.search(r"\b1 \w+s\b", said), (language, said)


def test_spaces_that_must_not_break() -> None:
    french = catalogue.typeset("Vraiment ? « Oui » : 12,4 Mo ; fini !", "fr")
    assert french == ("Vraiment\u202f? «\u00a0Oui\u00a0»\u00a0: 12,4\u00a0Mo\u202f; fini\u202f!")
    assert catalogue.typeset(french, "fr") == french
    assert catalogue.typeset("https://x.y `?wait=`", "fr") == "https://x.y `?wait=`"
    assert catalogue.typeset("quedan %(n)d s, {size} MB", "es") == (
        "quedan %(n)d\u00a0s, {size}\u00a0MB"
    )
    assert catalogue.typeset("%(n)d stories", "es") == "%(n)d stories"
    assert catalogue.typeset("noch 5 h", "de") == "noch 5 h"


def test_the_notes_at_the_head_of_a_file_stay() -> None:
    key = (None, "a", None)
    text = catalogue.write({key: ("b",)}, {key: "here"}, "es", "# tú\n# story: historia\n")
    assert catalogue.notes(text) == "# tú\n# story: historia\n"
    assert catalogue.read(text) == {key: ("b",)}
    assert catalogue.notes(text.removeprefix("# tú\n# story: historia\n")) == ""


def test_every_language_offered_is_complete() -> None:
    offered = {code for code, _ in settings.LANGUAGES}
    assert offered == {"en", *(language for language, _ in catalogue.files())}


@pytest.mark.parametrize(
    ("language", "spoken"),
    [("es-MX,es;q=0.9", "es"), ("fr-CA", "fr"), ("fr;q=0.4, es;q=0.8, en;q=0.1", "es"),
     ("it, de-CH;q=0.5", "de"), ("pt", "en")],
)  # fmt: skip
@pytest.mark.django_db
def test_the_browser_picks_among_four_languages(language: str, spoken: str) -> None:
    page = shown(Client(headers={"accept-language": language}).get("/login/"))
    assert f'<html lang="{spoken}">' in page


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("es", ("20 nov, 14:03 UTC", "8,4 MB", "0 días", "1 hora", "2 d", "20 de noviembre de 2026",
                "1000000 de archivos guardados", "0 archivos guardados")),
        ("fr", ("20 nov., 14:03 UTC", "8,4 Mo", "0 jour", "1 heure", "2 j", "20 novembre 2026",
                "1000000 de fichiers enregistrés", "0 fichier enregistré")),
        ("de", ("20. Nov., 14:03 UTC", "8,4 MB", "0 Tage", "1 Stunde", "2 T", "20. November 2026",
                "1000000 Dateien gesichert", "0 Dateien gesichert")),
    ],
)  # fmt: skip
def test_dates_sizes_and_numbers_in_each_language(language: str, words: tuple[str, ...]) -> None:
    moment = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
    days = translation.ngettext_lazy("%(n)d day", "%(n)d days", "n")
    files = translation.ngettext_lazy("%(n)d file saved", "%(n)d files saved", "n")
    with translation.override(language):
        said = (
            absolute(moment), size(8_400_000), days % {"n": 0}, span(timedelta(hours=1)),
            age(timezone.now() - timedelta(days=2, minutes=1)), when(moment, "day"),
            files % {"n": 1_000_000}, files % {"n": 0},
        )  # fmt: skip
        plain = tuple(re.sub(r"<[^>]+>", "", str(one)).replace("\u00a0", " ") for one in said)
    assert plain == words


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
    assert "Storys sichern" in page
    assert "Dateien bleiben 2 Stunden." in page
    assert '<html lang="en">' in shown(Client(headers={"accept-language": "it"}).get("/login/"))


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
    assert "1 fehlgeschlagen" in page
    assert "Dieses Konto gibt es nicht, oder es wurde entfernt." in page
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
        assert span(timedelta(hours=1)) == "1\u00a0Stunde"
        assert span(timedelta(days=30)) == "30\u00a0Tage"


@pytest.mark.django_db
def test_each_part_of_a_running_jobs_summary_begins_like_a_sentence(client: Client) -> None:
    job = make_job(make_user("alice"))
    done = make_item(job, name="nora", state=ItemState.DONE, author_id="1", author_name="nora")
    make_artifact(make_story(done), content=b"bytes")
    make_item(job, name="ben", state=ItemState.RUNNING)
    page = shown(client.get(f"/jobs/{job.pk}/", headers={"accept-language": "de"}))
    assert "Noch 1 Konto. Bisher 1 Datei" in page


@pytest.mark.django_db
def test_help_in_german_has_every_code(client: Client) -> None:
    page = shown(client.get("/help/"))
    assert "Der Eintrag eines Auftrags bleibt 30 Tage." in page  # `nach 30 Tage` would be wrong
    for code in BY_CODE:
        assert f"<code>{code}</code>" in page, code
    with translation.override("de"):
        assert message_and_hint("refused")[0] in page

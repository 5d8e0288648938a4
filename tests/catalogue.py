"""Keeps the translations: `python -m tests.catalogue` adds what is new to each .po file and takes
out what is gone. No gettext tools are needed.

tests/unit/test_language.py compares them with the sources; webapp/translations.py compiles them.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("jobs", "accounts", "notices", "webapp")
LOCALE = ROOT / "locale"
CALLS = {
    "_": ("id",),
    "gettext": ("id",),
    "gettext_lazy": ("id",),
    "gettext_noop": ("id",),
    "ngettext": ("id", "plural"),
    "ngettext_lazy": ("id", "plural"),
    "pgettext": ("context", "id"),
    "pgettext_lazy": ("context", "id"),
    "npgettext": ("context", "id", "plural"),
}
_STRING = r"u?(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")"
_IN_TEMPLATE = re.compile(rf"\b(n?p?gettext|_)\(({_STRING}(?:,\s*{_STRING})*)(?:,\s*count)?\)")
HEADER = """\
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit
Language: {language}
Plural-Forms: {plurals}
"""
PLURALS = {
    "de": "nplurals=2; plural=(n != 1);",
    "es": "nplurals=3; plural=n == 1 ? 0 : n != 0 && n % 1000000 == 0 ? 1 : 2;",
    "fr": "nplurals=3; plural=(n == 0 || n == 1) ? 0 : n != 0 && n % 1000000 == 0 ? 1 : 2;",
}
"""As Django's own compiled catalogues have them, so that ours join theirs. In Spanish and French
the second of three forms is for round millions: `1000000 de archivos`. French counts 0 with 1."""

Key = tuple[str | None, str, str | None]
"""Context, message, plural."""

Catalogue = dict[Key, tuple[str, ...]]
"""What each message is in another language: one form, or one for each number."""


def _key(call: str, words: list[str]) -> Key:
    parts = dict(zip(CALLS[call], words, strict=False))
    return parts.get("context"), parts["id"], parts.get("plural")


def _in_python(path: Path) -> Iterator[Key]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        call = names.get(node.func.id, "")
        if call in CALLS:
            constants = (arg.value for arg in node.args if isinstance(arg, ast.Constant))
            words = [value for value in constants if isinstance(value, str)]
            if len(words) >= len(CALLS[call]):
                yield _key(call, words)


def _in_template(path: Path) -> Iterator[Key]:
    for call, listed in _IN_TEMPLATE.findall(templatize(path.read_text(encoding="utf-8"))):
        yield _key(call, [ast.literal_eval(word) for word in re.findall(_STRING, listed)])


def wanted() -> dict[Key, str]:
    """Everything people read, and where it is said first."""
    from jobs.errors import BY_CODE
    from stories.links import UNSUPPORTED_LINKS

    places: dict[Key, str] = {}
    for path in sorted(
        (*(ROOT / "templates").rglob("*.html"), *(ROOT / "templates").rglob("*.txt"))
    ):
        for key in _in_template(path):
            places.setdefault(key, path.relative_to(ROOT).as_posix())
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for key in _in_python(path):
                places.setdefault(key, path.relative_to(ROOT).as_posix())
    for code, cls in BY_CODE.items():
        for words in filter(None, (cls.message, cls.hint)):
            places.setdefault((None, words, None), f"error {code}")
    for kind in sorted(UNSUPPORTED_LINKS):
        places.setdefault((None, kind, None), "stories/links.py")
    return places


# --- the .po file ---------------------------------------------------------------------------------


def read(text: str) -> Catalogue:
    """A .po file as this module writes it: one entry after the other, a blank line between."""
    catalogue: Catalogue = {}
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        field = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            name, _, rest = line.partition(" ") if not line.startswith('"') else (field, "", line)
            field = name
            fields[field] = fields.get(field, "") + ast.literal_eval(rest)
        if fields.get("msgid"):
            forms = tuple(words for name, words in fields.items() if name.startswith("msgstr"))
            key = fields.get("msgctxt"), fields["msgid"], fields.get("msgid_plural")
            catalogue[key] = forms
    return catalogue


def _quoted(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def notes(text: str) -> str:
    """The comments at the head of a .po file: who is spoken to, and which word stands for what."""
    return "".join(re.match(r"(?:#.*\n)*", text)[0])  # type: ignore[index]


def form_count(language: str) -> int:
    """How many forms a message with a number has."""
    return int(PLURALS[language].removeprefix("nplurals=").partition(";")[0])


def typeset(words: str, language: str) -> str:
    """The words with the spaces that must not break: before a unit, and where French has them."""
    if language not in {"es", "fr"}:
        return words
    words = re.sub(r"(\d|\}|\)[sd]) (h|min|s|k[Bo]|M[Bo]|%%)(?![\w%])", "\\1\u00a0\\2", words)
    if language == "fr":
        words = re.sub(r"[ \u00a0\u202f]+([:»])", "\u00a0\\1", words)
        words = re.sub(r"«[ \u00a0\u202f]*", "«\u00a0", words)
        words = re.sub(r"[ \u00a0\u202f]+([;!?])", "\u202f\\1", words)
    return words


def write(catalogue: Catalogue, places: dict[Key, str], language: str, comment: str = "") -> str:
    """The same, in the order of the sources. comment: the lines at its head."""
    header = HEADER.format(language=language, plurals=PLURALS[language])
    head = "\n".join(_quoted(f"{line}\n") for line in header.splitlines())
    blocks = [f'{comment}msgid ""\nmsgstr ""\n{head}']
    empty = ("",) * form_count(language)
    for key, place in places.items():
        context, message, plural = key
        forms = catalogue.get(key) or (empty if plural else ("",))
        forms = tuple(typeset(form, language) for form in forms)
        lines = [f"#: {place}"]
        if context:
            lines.append(f"msgctxt {_quoted(context)}")
        lines.append(f"msgid {_quoted(message)}")
        if plural:
            lines.append(f"msgid_plural {_quoted(plural)}")
            lines += [f"msgstr[{number}] {_quoted(form)}" for number, form in enumerate(forms)]
        else:
            lines.append(f"msgstr {_quoted(forms[0])}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def files() -> Iterator[tuple[str, Path]]:
    """Each language and its .po file."""
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/django.po")):
        yield path.parts[-3], path


def main() -> int:
    """Bring all files up to date; the exit code says whether something has no translation."""
    places = wanted()
    missing = 0
    for language, path in files():
        text = path.read_text(encoding="utf-8")
        known = read(text)
        catalogue = {key: known[key] for key in places if key in known}
        path.write_text(write(catalogue, places, language, notes(text)), encoding="utf-8")
        for key, place in places.items():
            if not all(catalogue.get(key, ("",))):
                missing += 1
                sys.stdout.write(f"{language}: no words for {key[1]!r} ({place})\n")
    return 1 if missing else 0


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    sys.exit(main())

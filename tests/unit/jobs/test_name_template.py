"""The grammar of file name templates: what is understood, and what each mistake is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import name_template
from jobs.name_template import Placeholder, TemplateRefused


def test_the_default_is_a_template() -> None:
    assert name_template.parse(name_template.DEFAULT) == (
        Placeholder("author"), "_", Placeholder("date"), "_", Placeholder("time"), "_",
        Placeholder("number"),
    )  # fmt: skip


def test_a_length_can_be_given() -> None:
    parts = name_template.parse("{caption:40} – {id}")
    assert parts == (Placeholder("caption", 40), " – ", Placeholder("id"))


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("x" * 121, "too_long"),
        ("{author", "brace"),
        ("author}", "brace"),
        ("{{author}}", "brace"),
        ("{}", "unknown"),
        ("{Author}", "unknown"),
        ("{ author }", "unknown"),
        ("{author.__class__}", "unknown"),
        ("{author[0]}", "unknown"),
        ("{author!r}", "unknown"),
        ("{0}", "unknown"),
        ("{caption:}", "limit"),
        ("{caption:0}", "limit"),
        ("{caption:-1}", "limit"),
        ("{caption:151}", "limit"),
        ("{caption:٤}", "limit"),
        ("{caption:>40}", "limit"),
        ("{date:%Y}", "limit"),
        ("{number:3}", "limit"),
        ("../{author}", "character"),
        ("{author}/{date}", "character"),
        ("{author}\\{date}", "character"),
        ("{author}\uff0f{date}", "character"),
        ("C:{author}", "character"),
        ("{author}%n", "character"),
        ("{author}\n", "invisible"),
        ("{author}\0", "invisible"),
        ("\u202e{author}", "invisible"),
        ("{author}\u2028", "invisible"),
        ("{author}\ud800", "invisible"),
    ],
)
def test_a_mistake_has_a_name(template: str, fault: str) -> None:
    with pytest.raises(TemplateRefused) as refused:
        name_template.parse(template)
    assert refused.value.fault == fault
    assert str(refused.value).isprintable()


@given(st.text(max_size=200))
def test_any_text_is_a_template_or_is_refused(text: str) -> None:
    try:
        parts = name_template.parse(text)
    except TemplateRefused:
        return
    written = "".join(part if isinstance(part, str) else "" for part in parts)
    assert not set(written) & set(name_template.FORBIDDEN)

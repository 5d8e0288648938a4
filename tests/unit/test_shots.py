"""`make shots` is run by hand: what it shows of rare pages has to fit their templates."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.template import loader
from django.test import RequestFactory
from PIL import Image

from tests.browser import readme_shots
from tests.browser.rare_shots import FAULTS, REPORT


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_can_be_shown(name: str) -> None:
    template, facts = FAULTS[name]
    request: Any = RequestFactory().get("/")
    assert "<h1" in loader.render_to_string(template, facts, request)


def test_the_report_is_one() -> None:
    assert all(one["title"] and one["judged"] for one in REPORT.as_dict()["findings"])


def test_a_picture_of_the_readme_is_small_enough_to_be_kept() -> None:
    noise = Image.effect_noise((900, 600), 20).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "PNG")
    assert len(readme_shots.packed(out.getvalue())) <= readme_shots.MAX_BYTES


def test_the_readme_shows_its_pictures() -> None:
    text = (readme_shots.OUT.parents[1] / "README.md").read_text(encoding="utf-8")
    for name in readme_shots.NAMES:
        assert f"docs/pictures/{name}.webp" in text
        size = (readme_shots.OUT / f"{name}.webp").stat().st_size
        assert 5_000 < size <= readme_shots.MAX_BYTES

"""`make shots` is run by hand: what it shows of rare pages has to fit their templates."""

from __future__ import annotations

from typing import Any

import pytest
from django.template import loader
from django.test import RequestFactory

from tests.browser.rare_shots import FAULTS, REPORT


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_can_be_shown(name: str) -> None:
    template, facts = FAULTS[name]
    request: Any = RequestFactory().get("/")
    assert "<h1" in loader.render_to_string(template, facts, request)


def test_the_report_is_one() -> None:
    assert all(one["title"] and one["judged"] for one in REPORT.as_dict()["findings"])

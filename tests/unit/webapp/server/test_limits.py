"""The limits of the web server: descriptors, connections, and how they fit together."""

from __future__ import annotations

import resource

import pytest
from django.conf import settings

from webapp.server import limits

ENDLESS = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"),
    [
        (1024, 4096, 4096),
        (1024, 1_048_576, 65_536),
        (256, ENDLESS, 65_536),
        (4096, 4096, 4096),
        (100_000, 1_048_576, 100_000),
        (ENDLESS, ENDLESS, 65_536),
    ],
)
def test_as_many_descriptors_as_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, wanted: int
) -> None:
    now = (soft, hard)

    def setrlimit(_what: int, values: tuple[int, int]) -> None:
        nonlocal now
        now = values

    monkeypatch.setattr(resource, "getrlimit", lambda _what: now)
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert limits.raise_descriptor_limit() == wanted
    assert now == ((soft, hard) if soft in {wanted, ENDLESS} else (wanted, hard))


def test_where_the_system_refuses_it_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_what: int, _values: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _what: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert limits.raise_descriptor_limit() == 1024


@pytest.mark.parametrize("descriptors", [64, 1024, 4096, 65_536, 10**6])
def test_connections_leave_descriptors_for_files_and_databases(descriptors: int) -> None:
    connections = limits.connections_at_once(descriptors)
    assert 0 < limits.connections_per_address(connections) < connections
    assert connections <= descriptors // 3


def test_ordinary_households_are_far_from_their_share() -> None:
    """Two hundred phones with six connections each, on the smallest machine one meets."""
    assert limits.connections_per_address(limits.connections_at_once(65_536)) >= 1200


def test_a_form_of_the_site_fits_into_a_body() -> None:
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE < limits.MAX_BODY_BYTES
    assert limits.MAX_BODY_BYTES < limits.MAX_HELD_BYTES

"""Channels: what an address may be. Sending is in tests/integration/test_notices.py."""

from __future__ import annotations

import pytest

from notices import channels
from notices.channels import AddressRefused


@pytest.mark.parametrize(
    ("address", "scheme"),
    [
        ("ntfys://ntfy.example.org/family", "ntfys"),
        ("JSON://127.0.0.1:8000/{user}", "json"),
        ("mailto://user:pass@example.org?to={user}", "mailto"),
    ],
)
def test_the_kind_of_an_address(address: str, scheme: str) -> None:
    assert channels.scheme_of(address) == scheme


@pytest.mark.parametrize(
    "address",
    ["", "ntfy", "https//x", "json://a json://b", "json://a,json://b", "json://a;b", "json://a\nb",
     "-x://a", "json://", "json://" + "a" * 1000],
)  # fmt: skip
def test_what_is_not_one_address_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        channels.scheme_of(address)

"""Choices: names that are stored, and stay as they are."""

from __future__ import annotations

from jobs.choices import FETCHED_ROLES, JOB_ZIP_ROLES, OPEN_PACKAGES, PackageState, Role


def test_a_file_is_fetched_or_made_here() -> None:
    assert set(FETCHED_ROLES).isdisjoint(JOB_ZIP_ROLES)
    assert {*FETCHED_ROLES, *JOB_ZIP_ROLES} < set(Role)
    assert set(PackageState) - OPEN_PACKAGES == {PackageState.DONE, PackageState.FAILED}

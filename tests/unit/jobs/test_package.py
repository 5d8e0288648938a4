"""Tests for `jobs.package`."""

from __future__ import annotations

from jobs.models import Package, PackageState


def test_a_package_begins_queued_and_names_nothing_it_holds() -> None:
    package = Package()
    assert package.state == PackageState.QUEUED
    assert package.selection == []
    assert str(package) == f"ZIP job {package.id}"

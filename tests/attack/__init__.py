"""Attacks that take too long for every run of the tests: `make attack`."""

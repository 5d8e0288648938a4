"""Fetching: a claimed line becomes saved files."""

"""Submissions, their queue, and the files that come of them."""

VERSION = "0.1.0"
"""Version of Storykeep as a whole; pyproject.toml says the same."""

"""Tests of what whoever publishes Storykeep needs."""

"""Formats of times by language, where Django's own are not ours: in English American ones."""

"""Backups: what is in one, how it is made, kept, checked and restored."""

"""Watched accounts: their rhythm, what is covered, and what a look found."""

"""Whole instances with a part killed, stopped, starved or lied to, and what is left afterwards."""

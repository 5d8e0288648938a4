"""Housekeeping, run by the clock: the sweep and the reaper."""

"""Housekeeping, run by the scheduler: the sweep and the reaper."""

"""What the scheduler runs: the sweep and the reaper."""

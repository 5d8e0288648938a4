"""`make compose-test`: the compose files, unchanged, run by a real container engine."""

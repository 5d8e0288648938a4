"""Who may use this instance: sign-in, the first-run link, API tokens."""

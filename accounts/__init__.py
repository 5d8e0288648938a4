"""Who may use this instance: the first-run link, invitations, roles, blocking, API tokens."""

"""Accounts: sign-in, the set-up link, invitations, roles, blocking, API tokens."""

"""What the account pages need in templates."""

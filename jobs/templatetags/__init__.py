"""Template tags and filters of the job pages."""

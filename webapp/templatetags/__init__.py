"""Tags of templates that show what `jobs` does not know."""

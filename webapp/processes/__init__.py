"""The processes an instance is made of: what each runs, and what keeps them running."""

"""What whoever publishes Storykeep needs, and an instance does not."""

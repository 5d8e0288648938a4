"""The only file system: where saved files lie, how many fit, what they are called, when they go."""

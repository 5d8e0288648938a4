"""Commands about the instance as a whole."""

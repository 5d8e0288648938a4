"""Commands about who may use this instance."""

"""Being told: an outbox of messages, and the ways they go to people."""

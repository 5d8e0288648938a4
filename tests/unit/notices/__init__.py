"""Being told: messages, when they go, how, and what becomes of them."""

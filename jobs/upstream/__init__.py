"""How this instance treats TikTok: one shared rate limit, one breaker, one cache of identities."""

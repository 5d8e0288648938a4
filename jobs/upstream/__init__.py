"""Requests to TikTok: one rate limit, one breaker and one cache of identities.

All three live in Redis, so that every worker keeps to the same. While Redis is away each process
has a rate limit and a breaker of its own: fewer promises, but still polite.
"""

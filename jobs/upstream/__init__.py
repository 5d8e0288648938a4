"""Requests to TikTok: one rate limit, one breaker, one cache of accounts, one identity to ask as.

All of them live in Redis, so that every worker keeps to the same. While Redis is away each process
has a rate limit, a breaker and an identity of its own: fewer promises, but still polite.
"""

"""A TikTok-story client: plain Python and httpx, no Django, no queue, no paths."""

"""A browser as a way of asking TikTok: a real Chromium, driven over the DevTools protocol."""

"""A TikTok of our own: the pages, the lists, the CDN and its faults, with no network."""

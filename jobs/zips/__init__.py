"""ZIPs: their contents, writing and packing."""

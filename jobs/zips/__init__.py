"""ZIPs: what is in them, how they are written, who packs them."""

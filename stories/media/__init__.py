"""Bytes of pictures and videos: fetched, checked, and what is made from them."""

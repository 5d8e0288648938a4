"""Bytes of pictures and videos: download, verification, and files derived from them."""

"""The library: stories that are kept for good, in a folder of the admin's, and at Immich."""

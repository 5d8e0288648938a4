"""What is known of TikTok as data: a signed document that travels without a release.

The built-in document is the floor: what every other one begins from, and what holds without one.
"""

"""Neutral samples: what TikTok sent, with the same keys and types and without anybody's words.

A sample reads like the answer it was made from, and may be posted in public. Pure: the answers
are handed in. docs/decisions/0050.
"""

from stories.neutral.recording import Recorder

__all__ = ["Recorder"]

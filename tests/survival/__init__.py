"""What becomes of a look-up when TikTok changes: each kind of change, under each way of asking."""

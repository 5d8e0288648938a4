"""One author's requests: sessions, the pools under them, and whom they may reach."""

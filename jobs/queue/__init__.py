"""The queue: the database holds it, the broker carries turns, and only this room moves an item."""

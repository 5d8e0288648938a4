"""All of Redis, and all of it allowed to be lost: the connection, progress, heartbeats."""

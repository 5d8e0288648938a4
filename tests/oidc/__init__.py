"""Identity providers for tests: a small hostile one, and a real one in a process of its own."""

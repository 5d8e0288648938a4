"""How fast Storykeep is: `make bench`, its method and its numbers are in docs/benchmarks.md."""

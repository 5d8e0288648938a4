"""The same pages in the three engines that browsers are built on: `make engines`."""

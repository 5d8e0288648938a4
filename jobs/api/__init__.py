"""The API's calls and shapes."""

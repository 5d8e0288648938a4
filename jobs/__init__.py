"""Submissions, their queue, and the files that come of them."""

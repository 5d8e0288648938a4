"""The site: how the process is configured and wired; no models, no business rules."""

# Nothing is imported here: the supervisor is part of this package and has to stay small.

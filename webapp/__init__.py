"""The site: how the process is configured and wired; no models, no business rules."""

"""The JSON API: its calls, its schemas, and waiting for a job."""

"""`manage.py fetch`: stories into a folder, without queue, database and Redis."""

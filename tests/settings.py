"""The app's settings for tests: a folder of their own, whatever the developer's environment says.

Only `STORYKEEP_DATABASE_URL` is taken over, so that the same tests run on PostgreSQL. The SQLite
test database is a file, because integration tests share it with worker processes.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

for _name in list(os.environ):
    if _name.startswith("STORYKEEP_") and _name != "STORYKEEP_DATABASE_URL":
        del os.environ[_name]
# Short: a Unix socket lies in it, and its path may have at most 100 bytes.
DATA_DIR = tempfile.mkdtemp(prefix="sk-test-", dir="/tmp" if Path("/tmp").is_dir() else None)
atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)
os.environ["STORYKEEP_DATA_DIR"] = DATA_DIR
os.environ["STORYKEEP_DISK_MIN_FREE"] = "0"
os.environ["STORYKEEP_TIME_ZONE"] = "UTC"

from webapp.settings import *  # noqa: E402, F403
from webapp.settings import DATABASES, INSTALLED_APPS, STORAGES  # noqa: E402
from webapp.translations import compile_translations  # noqa: E402

# Its tables; a test that wants an identity provider names one by `set_env`.
INSTALLED_APPS = ["allauth.socialaccount", *INSTALLED_APPS]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# The manifest is made by `collectstatic`; tests serve the sources.
STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": f"{DATA_DIR}/test.sqlite3"}
    # Rows nobody ordered come backwards: what counts on their order fails here, and every time.
    _options: Any = DATABASES["default"]["OPTIONS"]
    _options["init_command"] += " PRAGMA reverse_unordered_selects=ON;"
# Nor need there be a folder of collected files, which WhiteNoise would otherwise miss.
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True

compile_translations()

"""The keys of an instance: files in the data folder without which a database is worth less."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from django.conf import settings

from notices.vapid import KEY_FILE

SECRET_KEY: Final = "secret-key"  # noqa: S105  # nosec B105  # of a file
KEY_FILES: Final = (SECRET_KEY, KEY_FILE)
"""Names of key files in the data folder. A feature that keeps a key of its own there adds it."""


def in_force() -> dict[str, str]:
    """Name → text of the keys this instance uses; the secret key also where a setting names it."""
    keys = {SECRET_KEY: str(settings.SECRET_KEY)}
    for name in KEY_FILES:
        path = _folder() / name
        if name != SECRET_KEY and path.exists():
            keys[name] = path.read_text()
    return keys


@contextmanager
def ready(keys: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Write keys of a backup beside their places, on the disk; what is yielded puts them there.

    Names that are none of ours are left out. Without being put they are gone afterwards; what a
    killed process left is overwritten. This process goes on with the restored secret key, unless a
    setting names another one. Raises OSError.
    """
    places = {_folder() / name: keys[name] for name in KEY_FILES if name in keys}

    def put() -> None:
        for place in places:
            _beside(place).replace(place)
        if SECRET_KEY in keys and not settings.STORYKEEP.secret_key:
            settings.SECRET_KEY = keys[SECRET_KEY]

    try:
        for place, text in places.items():
            _write(_beside(place), text)
        yield put
    finally:
        for name in KEY_FILES:
            with suppress(OSError):
                _beside(_folder() / name).unlink(missing_ok=True)


def is_overruled(keys: Mapping[str, str]) -> bool:
    """Whether STORYKEEP_SECRET_KEY names another key than a backup's, which is not used then."""
    own = settings.STORYKEEP.secret_key
    return own is not None and keys.get(SECRET_KEY) not in {None, own.get_secret_value()}


def _beside(place: Path) -> Path:
    return place.with_name(f"{place.name}.restoring")


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _folder() -> Path:
    return Path(settings.STORYKEEP.data_dir)

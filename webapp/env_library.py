"""Settings of the library, where stories are kept for good: a part of webapp.env.Env."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ConfigDict, Field

from webapp.env_storage import Endpoint, StorageSettings
from webapp.env_types import AbsolutePath

PREFIX: Final = "STORYKEEP_"


class LibrarySettings(StorageSettings):
    """The library beside the store of saved files, and the photo server it is sent to."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    library_dir: AbsolutePath | None = Field(
        None,
        description="Folder in which members can keep stories for good, by author and year; no "
        "library when unset. Best where a photo library looks.",
    )
    immich_url: Endpoint | None = Field(
        None,
        description="Address of an Immich server that members can have their library sent to, each "
        "with a key of their own, e.g. `http://immich:2283`. Needs `LIBRARY_DIR`.",
    )


def combination_errors(env: LibrarySettings, artifacts: Path) -> dict[tuple[str, ...], str]:
    """A line for each set of these settings that is wrong only in combination, by their names.

    artifacts: the folder of saved files.
    """
    lines: dict[tuple[str, ...], str] = {}
    if env.immich_url and env.library_dir is None:
        lines["immich_url", "library_dir"] = f"{PREFIX}IMMICH_URL: needs {PREFIX}LIBRARY_DIR"
    if env.library_dir is not None and _is_within(env.library_dir, artifacts):
        lines["library_dir", "artifact_dir", "data_dir"] = (
            f"{PREFIX}LIBRARY_DIR: not the folder of saved files, nor in it, nor above it"
        )
    return lines


def _is_within(library: Path, artifacts: Path) -> bool:
    """Whether one of the folders is the other one, or in it."""
    return library.is_relative_to(artifacts) or artifacts.is_relative_to(library)

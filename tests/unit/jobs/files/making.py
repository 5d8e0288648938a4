"""Files in the store, made without an item."""

from __future__ import annotations

import uuid

from jobs.files.workspace import Workspace


def save(content: bytes, artifact_id: uuid.UUID | None = None) -> uuid.UUID:
    """Save bytes under an artifact's id; the id."""
    artifact_id = artifact_id or uuid.uuid4()
    with Workspace(f"{uuid.uuid4()}.1") as workspace:
        key, file = workspace.create()
        file.write(content)
        workspace.commit(key, artifact_id)
        file.close()
    return artifact_id

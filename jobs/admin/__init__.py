"""The admin's doors: tables of rows, their acts, the operations page and the diagnosis."""

from jobs.admin.tables import (
    ArtifactAdmin,
    ItemAdmin,
    JobAdmin,
    PackageAdmin,
    StoryAdmin,
)

__all__ = ["ArtifactAdmin", "ItemAdmin", "JobAdmin", "PackageAdmin", "StoryAdmin"]

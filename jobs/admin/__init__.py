"""The admin's doors: tables of rows, their acts, the operations page and the diagnosis."""

from jobs.admin.model_admins import ArtifactAdmin, ItemAdmin, JobAdmin, PackageAdmin, StoryAdmin

__all__ = ["ArtifactAdmin", "ItemAdmin", "JobAdmin", "PackageAdmin", "StoryAdmin"]

"""The admin: lists and pages of rows, actions on them, the operations page and the diagnosis."""

from jobs.admin.model_admins import ArtifactAdmin, ItemAdmin, JobAdmin, PackageAdmin, StoryAdmin
from jobs.admin.watch_admin import WatchAdmin

__all__ = ["ArtifactAdmin", "ItemAdmin", "JobAdmin", "PackageAdmin", "StoryAdmin", "WatchAdmin"]

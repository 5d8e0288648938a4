"""The admin's pages about people; Django's autodiscovery imports this package."""

from webapp.admin.person import PersonAdmin

__all__ = ["PersonAdmin"]

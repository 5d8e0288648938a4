"""The admin's site: it opens on the overview, and a header leads to the pages that hook in here.

A page without a model is registered by the module that has its view:

    admin_pages.register(AdminPage(name="people", route="people/", title=_("People"), ...))

and is then `admin:people` at `/admin/people/`, for those who may see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminPage:
    """A page of the admin that shows no model.

    name, route: of its URL, `admin:<name>` at `/admin/<route>`, which may hold `<…>` parts.
    view: called for staff who are `allowed`; others get a 403. title: in the header; None for a
    page that stands in none. count: the number behind the title, read for every admin page, so a
    cheap one; a page that has a count stands in the header only while it is not 0. worst: a
    sentence on what of that does not work at all, for the overview, "" for nothing. section: the
    name of the page that is marked as current in the header while this one is open.
    """

    name: str
    route: str
    view: Callable[..., HttpResponseBase]
    allowed: Callable[[HttpRequest], bool]
    title: StrPromise | None = None
    count: Callable[[HttpRequest], int] | None = None
    worst: Callable[[HttpRequest], str] | None = None
    section: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A link of the admin's header. count: 0 for none. worst: as of its AdminPage."""

    title: StrPromise
    url: str
    current: bool
    count: int = 0
    worst: str = ""


class AdminPages:
    """The registered pages, in the order of the header: that of their names in `ORDER`."""

    ORDER = ("people", "system", "problems")

    def __init__(self) -> None:
        self._pages: dict[str, AdminPage] = {}

    def register(self, page: AdminPage) -> None:
        """Add a page, or replace the one of the same name."""
        self._pages[page.name] = page

    def __iter__(self) -> Iterator[AdminPage]:
        order = {name: place for place, name in enumerate(self.ORDER)}
        return iter(sorted(self._pages.values(), key=lambda page: order.get(page.name, 99)))

    def section_of(self, url_name: str) -> str:
        """The section that a page of this URL name belongs to; "" for none of these pages."""
        page = self._pages.get(url_name)
        return (page.section or page.name) if page else ""


admin_pages = AdminPages()

_JOB_TABLES = ("job", "item", "story", "artifact", "package")


class StorykeepAdminSite(admin.AdminSite):
    """Django's admin with a header of a few places; its first page is in `jobs.admin.views`."""

    site_title = site_header = "Storykeep"
    index_title = _("All tables")

    def tables(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's own first page: every table that the reader may see."""
        return super().index(request, extra_context)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Django's URLs, those of the registered pages, and `tables/`."""
        pages: list[URLPattern | URLResolver] = [
            path(page.route, self.admin_view(_guarded(page)), name=page.name)
            for page in admin_pages
        ]
        tables = path("tables/", self.admin_view(self.tables), name="tables")
        return [*pages, tables, *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Django's, with `places`: the links of the header, for the reader's rights."""
        return super().each_context(request) | {"places": self._places(request)}

    def _places(self, request: HttpRequest) -> list[Place]:
        if not self.has_permission(request):
            return []
        match = request.resolver_match
        here = _section(match.url_name or "") if match else ""
        places = []
        if request.user.has_perm("jobs.view_operations"):
            overview = Place(_("Overview"), reverse("admin:index"), here == "overview")
            places.append(overview)
        for table in ("job", "item"):
            if request.user.has_perm(f"jobs.view_{table}"):
                url = reverse(f"admin:jobs_{table}_changelist")
                places.append(Place(_("Jobs"), url, here == "jobs"))
                break
        for page in admin_pages:
            if page.title is None or not page.allowed(request):
                continue
            count = page.count(request) if page.count else 0
            if page.count is None or count:
                url = reverse(f"admin:{page.name}")
                worst = page.worst(request) if page.worst else ""
                places.append(Place(page.title, url, here == page.name, count, worst))
        return places


def _section(url_name: str) -> str:
    """The place that the page of this URL name belongs to."""
    if url_name == "overview":
        return "overview"
    if url_name.startswith("auth_user"):
        return "people"
    if url_name.startswith(tuple(f"jobs_{table}_" for table in _JOB_TABLES)):
        return "jobs"
    if url_name == "diagnosis":
        return "system"
    return admin_pages.section_of(url_name)


def _guarded(page: AdminPage) -> Callable[..., HttpResponse]:
    """The page's view. Raises PermissionDenied for staff who may not see it."""

    def view(request: HttpRequest, **parts: Any) -> Any:
        if not page.allowed(request):
            raise PermissionDenied
        return page.view(request, **parts)

    return view

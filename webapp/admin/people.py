"""The People page: what everyone uses, their limits to change on the spot, and an invitation.

For admins alone, as all that is about people (`webapp.admin.person`).
"""

from __future__ import annotations

from typing import Any, Final, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import admin_log, invitations, mail
from jobs.models import Quota
from jobs.pages import qr
from jobs.wording import size
from webapp.admin.forms import InvitePersonForm, QuotaForm, SizeField
from webapp.admin_site import AdminPage, admin_pages
from webapp.people_rows import SORTS, PersonRow, people_rows

PER_PAGE: Final = 50
MAX_QUERY: Final = 150
LIMITS: Final = QuotaForm.Meta.fields


def may_see(request: HttpRequest) -> bool:
    """Whether this reader may see and change people: admins alone."""
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def people_page(request: HttpRequest) -> HttpResponse:
    """Everyone and, on top, the form for an invitation; its new link is in the answer alone."""
    sending = request.method == "POST"
    form = InvitePersonForm(request.POST if sending else None)
    link = _invite(request, form) if form.is_valid() else None
    context = {
        "invite": InvitePersonForm() if link else form,
        "inviting": sending,
        "link": link,
        "code": qr.svg(link, _("The invitation's link as a QR code")) if link else "",
        "sent_to": form.cleaned_data.get("email", "") if link else "",
    }
    return _page(request, context, status=422 if sending and not link else 200)


def _invite(request: HttpRequest, form: InvitePersonForm) -> str:
    """Make an invitation, send it where it has an address, and return its link."""
    data = form.cleaned_data
    token = invitations.create(
        cast("User", request.user),
        admin=data["role"] == "admin",
        days=data["days"],
        whom=data["whom"] or data.get("email", ""),
    )
    link = settings.STORYKEEP.absolute_url_for(request, reverse("join", args=[token]))
    if data.get("email"):
        mail.send_invitation(data["email"], link, request.user.get_username(), data["days"])
    return link


def _page(request: HttpRequest, more: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """The page, with `more` for its template. open_form: the limits form of a person that could
    not be saved."""
    query = request.GET.get("q", "").replace("\0", "").strip()[:MAX_QUERY]
    asked = request.GET.get("sort", "")
    sort = asked if asked in SORTS else SORTS[0]
    page = Paginator(people_rows(query, sort), PER_PAGE).get_page(request.GET.get("page"))
    open_form = more.get("open_form")
    context = admin.site.each_context(request) | {
        "title": _("People"),
        "page": page,
        "people": [_shown(row, open_form) for row in page],
        "query": query,
        "sort": sort,
        "sorts": [
            ("disk", _("Disk")),
            ("today", _("Lines today")),
            ("seen", _("Last seen")),
            ("name", _("Name")),
        ],
        "usual": settings.STORYKEEP,
        "open_invitations": invitations.pending().count(),
        "invite": InvitePersonForm(),
    }
    return render(request, "admin/people.html", context | more, status=status)


def _shown(row: PersonRow, open_form: QuotaForm | None) -> dict[str, Any]:
    """A row and the fields of its limits: (name, label, text, errors, usual limit)."""
    form = open_form if open_form and open_form.instance.pk == row.user.pk else None
    labels = {
        "active_items": _("Lines at once"),
        "items_per_day": _("Lines a day"),
        "stored_bytes": _("Disk"),
    }
    fields: list[dict[str, Any]] = []
    for name in LIMITS:
        value = getattr(row.quota, name) if row.quota else None
        text = SizeField().prepare_value(value) if name == "stored_bytes" else value
        if form:
            text = form.data.get(name, text)
        fields.append(
            {
                "name": name,
                "label": labels[name],
                "text": "" if text is None else text,
                "errors": form.errors.get(name, []) if form else [],
            }
        )
    return {"row": row, "fields": fields, "limits": _limits(row), "open": form is not None}


def _limits(row: PersonRow) -> str:
    """Somebody's own limits in words: `10 lines a day, 2.0 GB`."""
    if row.quota is None or not row.limited:
        return _("as for everyone")
    own, parts = row.quota, []
    if (n := own.active_items) is not None:
        words = ngettext("%(n)d line at once", "%(n)d lines at once", n) % {"n": n}
        parts.append(words if n else _("any number of lines at once"))
    if (n := own.items_per_day) is not None:
        words = ngettext("%(n)d line a day", "%(n)d lines a day", n) % {"n": n}
        parts.append(words if n else _("any number of lines a day"))
    if (n := own.stored_bytes) is not None:
        parts.append(size(n) if n else _("all of the disk"))
    return ", ".join(parts)


@require_POST
def person_limits(request: HttpRequest, user_id: int) -> HttpResponse:
    """Set those of somebody's own limits that are sent along: empty as everyone's, 0 none."""
    user = User.objects.exclude(username=admin_log.FORMER).filter(pk=user_id).first()
    if user is None:
        raise Http404
    form = QuotaForm(request.POST, instance=Quota(owner=user))
    if not form.is_valid():
        return _page(request, {"open_form": form}, status=422)
    # These columns alone: the row also counts lines that are gone, and those may come any moment.
    values = {name: form.cleaned_data[name] for name in LIMITS if name in request.POST}
    before = Quota.objects.filter(owner=user).values(*LIMITS).first() or {}
    Quota.objects.update_or_create(owner=user, defaults=values)
    if any(before.get(name) != n for name, n in values.items()):
        LogEntry.objects.log_actions(
            user_id=cast("int", request.user.pk),
            queryset=[user],
            action_flag=CHANGE,
            change_message="Limits: "
            + ", ".join(f"{name} {'usual' if n is None else n}" for name, n in values.items()),
            single_object=True,
        )
    messages.success(request, _("Limits of %(name)s saved.") % {"name": user.get_username()})
    if request.POST.get("back") == "overview":
        return redirect("admin:index")
    return redirect(f"{reverse('admin:people')}#person-{user.pk}")


admin_pages.register(
    AdminPage(
        name="people",
        route="people/",
        view=people_page,
        allowed=may_see,
        title=gettext_lazy("People"),
    )
)
admin_pages.register(
    AdminPage(
        name="person_limits",
        route="people/<int:user_id>/limits/",
        view=person_limits,
        allowed=may_see,
        section="people",
    )
)

"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts.signin import our_sign_in
from webapp import health, preferences, shell, views
from webapp.api import api

admin.autodiscover()
admin.site.login = our_sign_in(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("health/live", health.live, name="live"),
    path("health/ready", health.ready, name="ready"),
    path("manifest.webmanifest", shell.manifest, name="manifest"),
    path("service-worker.js", shell.service_worker, name="service_worker"),
    path("offline/", shell.offline, name="offline"),
    path("phone/", shell.phone, name="phone"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("admin/", include("jobs.admin.views")),
    path("admin/password_change/", RedirectView.as_view(pattern_name="password_change")),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("account/", views.account, name="account"),
    path("account/data/", views.my_data, name="my_data"),
    path("", include("accounts.signin")),
    path("", include("accounts.urls")),
    path("", include("jobs.pages.urls")),
]

handler429 = "accounts.patience.too_many"  # django-allauth asks for it, Django does not
handler400 = "webapp.faults.bad_request"
handler500 = "webapp.faults.server_error"

"""Every URL of the site."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts.signin import admin_sign_in
from webapp import account_pages, health, metrics, notice_pages, preferences, pwa, setup_restore
from webapp.api import api

admin.autodiscover()
admin.site.login = admin_sign_in  # type: ignore[method-assign]

urlpatterns = [
    path("health/live", health.live, name="live"),
    path("health/ready", health.ready, name="ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("manifest.webmanifest", pwa.manifest, name="manifest"),
    path("service-worker.js", pwa.service_worker, name="service_worker"),
    path("offline/", pwa.offline, name="offline"),
    path("phone/", pwa.phone, name="phone"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("admin/", include("jobs.admin.views")),
    path("admin/password_change/", RedirectView.as_view(pattern_name="password_change")),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("account/", account_pages.account, name="account"),
    path("account/data/", account_pages.my_data, name="my_data"),
    path("account/notifications/", notice_pages.notifications, name="notifications"),
    path("account/notifications/push/", notice_pages.push_subscribe, name="push_subscribe"),
    path("account/notifications/push/renew/", notice_pages.push_renew, name="push_renew"),
    path("setup/<str:token>/restore/", setup_restore.restore_page, name="setup_restore"),
    path("", include("accounts.signin")),
    path("", include("accounts.urls")),
    path("", include("jobs.pages.urls")),
]

handler429 = "accounts.throttling.too_many_requests"  # django-allauth asks for it, Django does not
handler400 = "webapp.error_pages.bad_request"
handler500 = "webapp.error_pages.server_error"

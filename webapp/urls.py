"""Every address of the site."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path, reverse_lazy

from webapp import health, preferences, shell, views
from webapp.api import api

admin.autodiscover()

urlpatterns = [
    path("health/live", health.live, name="live"),
    path("health/ready", health.ready, name="ready"),
    path("manifest.webmanifest", shell.manifest, name="manifest"),
    path("service-worker.js", shell.service_worker, name="service_worker"),
    path("offline/", shell.offline, name="offline"),
    path("phone/", shell.phone, name="phone"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("admin/", include("jobs.admin.pages")),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("account/", views.account, name="account"),
    path("account/data/", views.my_data, name="my_data"),
    path(
        "account/password/",
        auth.PasswordChangeView.as_view(
            template_name="registration/password.html", success_url=reverse_lazy("account")
        ),
        name="password_change",
    ),
    path("", include("accounts.urls")),
    path("", include("jobs.urls")),
]

handler400 = "webapp.faults.bad_request"
handler500 = "webapp.faults.server_error"

"""Every address of the site."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_required
from django.urls import include, path, reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView

from webapp import health, preferences, shell
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
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path(
        "account/",
        never_cache(
            login_required(TemplateView.as_view(template_name="registration/account.html"))
        ),
        name="account",
    ),
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

handler500 = "webapp.faults.server_error"

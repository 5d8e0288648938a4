"""URLs of set-up, invitations, sign-in links and API tokens."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("setup/<str:token>/", views.set_up, name="setup"),
    path("join/<str:token>/", views.join, name="join"),
    path("signin/<str:token>/", views.sign_in_by_link, name="signin_link"),
    path("account/invitations/", views.invitation_list, name="invitations"),
    path(
        "account/invitations/<int:invitation_id>/revoke/",
        views.invitation_revoke,
        name="invitation_revoke",
    ),
    path("account/tokens/", views.token_list, name="tokens"),
    path("account/tokens/<int:token_id>/revoke/", views.token_revoke, name="token_revoke"),
]

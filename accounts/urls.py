"""The addresses of this room."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("setup/<str:token>/", views.set_up, name="setup"),
]

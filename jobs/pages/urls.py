"""The addresses of the pages."""

from django.urls import path

from jobs.pages import (
    avatars,
    downloads,
    feed,
    help_page,
    history,
    home,
    job,
    naming,
    packages,
    share_target,
    viewer,
    views,
)

urlpatterns = [
    path("", home.home, name="home"),
    path("share/<int:user_id>/<str:key>/", share_target.share, name="share"),
    path("account/feed/", feed.feed_settings, name="feed_settings"),
    path("feed/<str:secret>.atom", feed.feed, name="feed"),
    path("account/names/", naming.naming, name="naming"),
    path("history/", history.history, name="history"),
    path("history/chosen/", history.chosen, name="history_chosen"),
    path("help/", help_page.help_page, name="help"),
    path("jobs/<uuid:job_id>/", job.job, name="job"),
    path("jobs/<uuid:job_id>/progress/", job.job_fragment, name="job_fragment"),
    path("jobs/<uuid:job_id>/media.json", job.job_media, name="job_media"),
    path("jobs/<uuid:job_id>/viewer.json", viewer.job_viewer, name="job_viewer"),
    path("jobs/<uuid:job_id>/code.svg", views.job_code, name="job_code"),
    path("jobs/<uuid:job_id>/cancel/", views.job_cancel, name="job_cancel"),
    path("jobs/<uuid:job_id>/retry/", views.job_retry, name="job_retry"),
    path("jobs/<uuid:job_id>/again/", views.job_again, name="job_again"),
    path("jobs/<uuid:job_id>/bundle/", packages.job_bundle, name="job_bundle"),
    path("jobs/<uuid:job_id>/selection/", packages.selection, name="selection"),
    path("jobs/<uuid:job_id>/zips/<uuid:package_id>/", packages.package, name="package"),
    path("jobs/<uuid:job_id>/extend/", views.job_extend, name="job_extend"),
    path("jobs/<uuid:job_id>/clean/", views.job_clean, name="job_clean"),
    path("jobs/<uuid:job_id>/forget/", views.job_forget, name="job_forget"),
    path("avatars/<uuid:item_id>.jpg", avatars.avatar, name="avatar"),
    path("files/<uuid:artifact_id>/<str:name>", downloads.file, name="file"),
    path("items/<uuid:item_id>/retry/", views.item_retry, name="item_retry"),
    path("items/<uuid:item_id>/again/", views.item_again, name="item_again"),
    path("stories/<uuid:story_id>/again/", views.story_again, name="story_again"),
    path("stories/<uuid:story_id>/clean/", views.story_clean, name="story_clean"),
]

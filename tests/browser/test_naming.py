"""The page of file names: a preview as one types, placeholders by a tap, and none of it needed."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_pages import faults


def test_a_template_is_previewed_as_it_is_typed(visit: Open) -> None:
    page = visit("phone", bypass_csp=True)
    page.goto("/account/names/")
    assert not faults(page)
    field = page.get_by_label("Template")
    field.fill("{kind} of ")
    expect(page.locator(".named dd").first).to_have_text("video of.mp4")
    page.get_by_role("button", name="{author}").click()
    expect(field).to_have_value("{kind} of {author}")
    expect(page.locator(".named dd").first).to_have_text("video of harbour.bakery.mp4")

    field.fill("{kind}/{author}")
    expect(page.locator(".wrong")).to_have_text("A file name cannot contain “/”.")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("{kind}-{author}")
    expect(page.locator(".wrong")).to_have_count(0)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("New files will be named like this.")).to_be_visible()
    page.get_by_role("button", name="Back to the default").click()
    expect(field).to_have_value("{author}_{date}_{time}_{number}")


def test_it_works_without_a_script(visit: Open) -> None:
    page = visit("desktop", java_script_enabled=False)
    page.goto("/account/names/")
    page.get_by_label("Template").fill("{kind} {id}")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".named dd").first).to_have_text("video 7412345678901234567.mp4")
    assert page.url.endswith("/account/names/")
    page.get_by_label("Template").fill("{nobody}")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".wrong")).to_have_text("Unknown placeholder: {nobody}")

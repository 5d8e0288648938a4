"""Admin actions as a browser sends them."""

from __future__ import annotations

from django.test import Client


def choose_action(browser: Client, table: str, name: str, *ids: object, **more: str) -> str:
    """Choose an action for some rows, and read what it says."""
    response = browser.post(
        f"/admin/jobs/{table}/",
        {"action": name, "_selected_action": [str(pk) for pk in ids]} | more,
        follow=True,
    )
    return response.content.decode().replace("\N{NO-BREAK SPACE}", " ")


def run_action(browser: Client, table: str, name: str, *ids: object) -> str:
    """Run an action over some rows, confirmed, and read what it said."""
    return choose_action(browser, table, name, *ids, confirmed="yes")

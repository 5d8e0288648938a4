"""A web process and its visitor: what they do, and which modules that loads.

`python -m tests.integration.web_process` in an environment as `manage.py up` gives the web server,
on a migrated database. Prints one JSON object: {"answers": {what: status}, "sent": how many rows
say that their message was sent, "modules": everything in `sys.modules`}.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    importlib.import_module("webapp.wsgi")  # what the web server loads
    from django.conf import settings

    # Pages name static files, and nobody has collected them here.
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    answers, sent = visit()
    sys.stdout.write(json.dumps({"answers": answers, "sent": sent, "modules": sorted(sys.modules)}))


def visit() -> tuple[dict[str, int], int]:
    """Sign in and do what a worker has to hear of; (status by what was asked for, rows sent)."""
    from django.test import Client

    from accounts import tokens
    from jobs.models import Item, Job, Package
    from tests import factories

    alice = factories.make_user("alice")
    browser, phone = Client(), Client()
    answers = {
        "sign-in": browser.post("/login/", {"login": "alice", "password": "alicealice"}),
        "home": browser.get("/"),
        "paste": browser.post("/", {"text": "@sample.user"}),
    }
    pasted = Job.objects.get()
    saved = factories.make_artifact(content=b"saved earlier").job
    answers |= {
        "job page": browser.get(f"/jobs/{pasted.pk}/"),
        "progress": browser.get(f"/jobs/{pasted.pk}/progress/"),
        "history": browser.get("/history/"),
        "page of saved files": browser.get(f"/jobs/{saved.pk}/"),
        "bundle": browser.post(f"/jobs/{saved.pk}/bundle/"),
    }

    headers = {"Authorization": f"Bearer {tokens.create(alice, 'phone')}"}
    body = {"text": "@other.user"}
    posted = phone.post("/api/v1/jobs", body, content_type="application/json", headers=headers)
    answers |= {
        "API submission": posted,
        "API job": phone.get(posted.headers["Location"], headers=headers),
    }
    sent = Item.objects.filter(sent_at__isnull=False).count()
    sent += Package.objects.filter(sent_at__isnull=False).count()
    return {name: answer.status_code for name, answer in answers.items()}, sent


if __name__ == "__main__":
    main()

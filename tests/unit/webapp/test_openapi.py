"""The API's description."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from django.db import OperationalError
from django.test import Client

from jobs.api.schemas import ErrorOut
from jobs.queue import submission
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.api.scripts import Script, error_of, make_full_job
from tests.watched import make_watch

pytestmark = pytest.mark.django_db


def test_openapi_describes_every_call(client: Client) -> None:
    found = client.get("/api/v1/openapi.json").json()
    calls = {
        (method.upper(), path) for path, methods in found["paths"].items() for method in methods
    }
    assert calls == {
        ("POST", "/api/v1/jobs"),
        ("GET", "/api/v1/jobs"),
        ("GET", "/api/v1/jobs/{job_id}"),
        ("DELETE", "/api/v1/jobs/{job_id}"),
        ("POST", "/api/v1/jobs/{job_id}/cancel"),
        ("POST", "/api/v1/jobs/{job_id}/retry"),
        ("POST", "/api/v1/jobs/{job_id}/extend"),
        ("POST", "/api/v1/jobs/{job_id}/bundle"),
        ("GET", "/api/v1/files/{file_id}"),
        ("HEAD", "/api/v1/files/{file_id}"),
        ("GET", "/api/v1/me"),
        ("GET", "/api/v1/status"),
        ("POST", "/api/v1/watches"),
        ("GET", "/api/v1/watches"),
        ("GET", "/api/v1/watches/{watch_id}"),
        ("PATCH", "/api/v1/watches/{watch_id}"),
        ("DELETE", "/api/v1/watches/{watch_id}"),
        ("POST", "/api/v1/watches/{watch_id}/check"),
        ("GET", "/api/v1/watches/{watch_id}/gaps"),
    }
    assert "Bearer" in json.dumps(found["components"]["securitySchemes"])
    for methods in found["paths"].values():
        for call in methods.values():
            assert call["description"] or call["summary"]


def test_the_ids_of_calls_do_not_change(client: Client) -> None:
    """Generated clients name their functions after them."""
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    names = ["submit", "mine", "job", "forget", "cancel", "retry", "extend", "bundle", "file"]
    names += ["me", "status"]
    ids = {call["operationId"] for calls in paths.values() for call in calls.values()}
    watches = ["begin", "mine", "watch", "change", "delete", "check", "gaps"]
    assert ids == {
        *(f"jobs_api_{name}" for name in names),
        *(f"watches_api_{name}" for name in watches),
    }


def test_openapi_names_the_headers_as_they_are_sent(client: Client) -> None:
    found = client.get("/api/v1/openapi.json").json()
    headers = {
        parameter["name"]
        for methods in found["paths"].values()
        for call in methods.values()
        for parameter in call.get("parameters", ())
        if parameter["in"] == "header"
    }
    assert headers == {"Idempotency-Key", "If-None-Match", "Range", "If-Range"}
    for methods in found["paths"].values():
        for call in methods.values():
            names = [(one["in"], one["name"]) for one in call.get("parameters", ())]
            assert len(names) == len(set(names))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_openapi_knows_every_header_of_a_file(alice: Script, client: Client, method: str) -> None:
    told = client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/files/{file_id}"]
    artifact = make_artifact(make_story(make_item(make_job(alice.user))), content=b"12345")
    for sent in (
        {},
        {"Range": "bytes=1-2"},
        {"Range": "bytes=9-"},
        {"If_None_Match": "*"},
        {"If_Match": '"another"'},
    ):
        response = alice.call(method, f"/files/{artifact.pk}", **sent)
        described = told[method.lower()]["responses"][str(response.status_code)]["headers"]
        ours = {"ETag", "Accept-Ranges", "Content-Range", "Content-Disposition"}
        assert ours & set(response.headers) <= set(described)
        assert {name for name in described if name.startswith("RateLimit")} <= set(response.headers)
    assert "*/*" in told["get"]["responses"]["206"]["content"]


def test_openapi_knows_where_a_job_is_and_when_to_come_back(alice: Script, client: Client) -> None:
    calls = client.get("/api/v1/openapi.json").json()["paths"]
    made = alice.call("POST", "/jobs", {"lines": ["@ann"]})
    described = calls["/api/v1/jobs"]["post"]["responses"]
    assert {"ETag", "Location"} <= set(described["202"]["headers"]) & set(made.headers)
    assert "Retry-After" in described["429"]["headers"]
    assert "WWW-Authenticate" in described["401"]["headers"]


def test_openapi_says_that_every_call_can_meet_a_database_that_is_held(
    alice: Script, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    calls = [call for methods in paths.values() for call in methods.values()]
    for call in calls:
        described = call["responses"]["503"]
        assert "ErrorBody" in json.dumps(described["content"]), call["operationId"]
        assert "Retry-After" in described["headers"]

    def held(*_: object, **__: object) -> None:
        raise OperationalError("the connection is closed") from ConnectionError()

    monkeypatch.setattr(submission, "submit", held)
    response = alice.call("POST", "/jobs", {"lines": ["@ann"]})
    assert error_of(response, 503)["code"] == "busy"
    assert response.headers["Retry-After"]


def test_openapi_says_that_there_may_be_no_room_for_a_bundle(
    alice: Script, client: Client, set_env: Callable[..., None]
) -> None:
    job = make_full_job(alice.user)
    set_env(disk_max=1)
    response = alice.call("POST", f"/jobs/{job.pk}/bundle")
    assert error_of(response, 507)["code"] == "disk_full"
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert "507" in paths["/api/v1/jobs/{job_id}/bundle"]["post"]["responses"]


def test_openapi_says_where_head_works(alice: Script, client: Client) -> None:
    description = client.get("/api/v1/openapi.json").json()["info"]["description"]
    assert "`HEAD` is answered wherever `GET` is" in description
    job = make_full_job(alice.user)
    for path in ("/me", "/jobs", f"/jobs/{job.pk}"):
        assert alice.call("HEAD", path).status_code == 200


def test_openapi_speaks_of_requests_where_the_key_compares_requests(client: Client) -> None:
    call = client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/jobs"]["post"]
    (key,) = (one for one in call["parameters"] if one["name"] == "Idempotency-Key")
    assert "another request" in key["description"]
    assert "Retry-After" in call["responses"]["409"]["headers"]


@pytest.mark.parametrize("path", ["openapi.json", "docs"])
def test_the_description_is_looked_at_only(path: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    response = browser.post(f"/api/v1/{path}")
    assert error_of(response, 405)["code"] == "method_not_allowed"
    assert browser.get(f"/api/v1/{path}").status_code == 200


def test_the_docs_page_asks_nobody_else(client: Client) -> None:
    response = client.get("/api/v1/docs")
    text = response.content.decode()
    assert response.status_code == 200
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert "//" not in text.replace("<!--", "").replace("://", "")
    assert "http" not in text
    assert "<script>" not in text
    assert "style=" not in text
    assert re.search(r'<a class="wordmark" href="/">', text)


def test_the_description_reads_well(client: Client) -> None:
    found = client.get("/api/v1/openapi.json").json()
    calls = [call for calls in found["paths"].values() for call in calls.values()]
    assert {tag for call in calls for tag in call["tags"]} == {
        "Jobs", "Watches", "Files", "Me", "Instance",
    }  # fmt: skip
    summaries = {call["summary"] for call in calls}
    assert {"Save names and links", "List my jobs", "Get a file"} <= summaries
    shown = re.search(r"`(\{.*\})`", found["info"]["description"])
    assert shown
    assert set(json.loads(shown[1])["error"]) == set(ErrorOut.model_fields)


def test_the_example_of_every_body_is_taken(alice: Script, set_env: Callable[..., None]) -> None:
    """The page of the description sends it as it stands there."""
    set_env(watches="members")
    own = {"watch_id": str(make_watch(alice.user).pk), "job_id": str(make_job(alice.user).pk)}
    found = alice.client.get("/api/v1/openapi.json").json()
    sent = 0
    for path, calls in found["paths"].items():
        for method, call in calls.items():
            for body in call.get("requestBody", {}).get("content", {}).values():
                schema = body["schema"]
                named = found["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
                [example] = named["examples"]
                address = path.removeprefix("/api/v1").format(**own)
                answer = alice.call(method.upper(), address, example)
                assert answer.status_code < 300, (path, answer.content)
                sent += 1
    assert sent == 3

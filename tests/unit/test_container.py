"""The container files agree with the code: no setting, role or folder that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

from webapp.env import SECRETS, Env
from webapp.management.commands.up import SPECS

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_every_setting_exists() -> None:
    known = {f"STORYKEEP_{name.upper()}" for name in Env.model_fields}
    known |= {f"STORYKEEP_{name.upper()}_FILE" for name in SECRETS}
    named = set(re.findall(r"STORYKEEP_[A-Z_]+", COMPOSE + DOCKERFILE))
    assert named - {"STORYKEEP_IMAGE"} <= known


def test_every_role_exists() -> None:
    roles = re.findall(r'command: \["up", "--only", "(\w+)"\]', COMPOSE)
    # Workers are the scheduler as well; the role is there for those who run it apart.
    assert {*roles, "scheduler"} == {"migrate", *SPECS}
    assert len(roles) == len(set(roles))


def test_the_image_is_built_once_where_there_is_none() -> None:
    services = COMPOSE.partition("\nservices:\n")[2].partition("\nnetworks:\n")[0]
    ours = {
        name: body
        for name, body in re.findall(r"^  (\w+):\n((?:    .*\n|\n)+)", services, re.MULTILINE)
        if "<<: *app" in body
    }
    assert set(ours) == {"web", "worker", "migrate"}
    assert COMPOSE.count("build: .") == 1
    assert "build: ." in ours["migrate"]
    # Those that do not build it wait for the one that does, and never ask a registry for it.
    for name in ("web", "worker"):
        assert "pull_policy: never" in ours[name]
        assert re.search(r"depends_on: (&|\*)after-migration", ours[name])


def test_one_port_is_published_and_one_value_required() -> None:
    assert COMPOSE.count("\n    ports:\n") == 1
    assert set(re.findall(r"\$\{(\w+):\?", COMPOSE)) == {"DATABASE_PASSWORD"}


def test_compose_has_no_password_of_its_own() -> None:
    for value in re.findall(r"PASSWORD: (.*)", COMPOSE):
        assert value.startswith("${")


def test_what_is_copied_exists_and_is_sent() -> None:
    sent = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = set(re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE))
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_does_not_run_as_root() -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert int(user) >= 10_000
    assert re.search(r"^ARG BASE=", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${BASE}"}

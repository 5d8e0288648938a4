"""The container files agree with the code: no setting, role or folder that does not exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from webapp.env import COMPOSE_ONLY, SECRETS, Env
from webapp.management.commands.up import SPECS

ROOT = Path(__file__).parents[2]
FILES = {path.name: path for path in sorted(ROOT.glob("docker-compose*.yml"))}
SERVER = yaml.safe_load(FILES["docker-compose.yml"].read_text(encoding="utf-8"))
HOUSEHOLD = yaml.safe_load(FILES["docker-compose.household.yml"].read_text(encoding="utf-8"))
SHARED = yaml.safe_load(FILES["docker-compose.shared.yml"].read_text(encoding="utf-8"))
FURTHER = yaml.safe_load(FILES["docker-compose.worker.yml"].read_text(encoding="utf-8"))
OF_THE_STORE = {"STORYKEEP_ARTIFACT_STORE"}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services made of our image, by name."""
    return {
        name: service
        for name, service in compose["services"].items()
        if service.get("image", "").startswith("${STORYKEEP_IMAGE")
    }


OURS = services(SERVER) | services(HOUSEHOLD) | {"further": services(FURTHER)["worker"]}
WITH_PAGES = [service for service in OURS.values() if service.get("command", [""])[-1] != "worker"]


@pytest.mark.parametrize("path", [*FILES.values(), ROOT / "Dockerfile"], ids=lambda path: path.name)
def test_every_setting_exists(path: Path) -> None:
    known = {f"STORYKEEP_{name.upper()}" for name in Env.model_fields}
    known |= {f"STORYKEEP_{name.upper()}_FILE" for name in SECRETS}
    named = set(re.findall(r"STORYKEEP_[A-Z_]+", path.read_text(encoding="utf-8")))
    assert named - COMPOSE_ONLY - OF_THE_STORE <= known


def test_every_role_exists() -> None:
    commands = [service["command"] for service in services(SERVER).values()]
    assert all(command[:2] == ["up", "--only"] for command in commands)
    roles = [command[2] for command in commands]
    # Workers are the scheduler as well; the role is there for those who run it apart.
    assert {*roles, "scheduler"} == {"migrate", *SPECS}
    assert len(roles) == len(set(roles))


def test_the_image_is_built_once_where_there_is_none() -> None:
    ours = services(SERVER)
    assert set(ours) == {"web", "worker", "migrate"}
    assert [name for name, service in ours.items() if "build" in service] == ["migrate"]
    assert ours["migrate"]["build"]["context"] == "."
    # Those that do not build it wait for the one that does, and never ask a registry for it.
    for name in ("web", "worker"):
        assert ours[name]["pull_policy"] == "never"
        waits_for = ours[name]["depends_on"]["migrate"]["condition"]
        assert waits_for == "service_completed_successfully"


def test_a_household_builds_the_same_image() -> None:
    (household,) = services(HOUSEHOLD).values()
    assert household["build"] == services(SERVER)["migrate"]["build"]
    assert household["image"] == services(SERVER)["migrate"]["image"]
    # What stands on the label is told by who publishes an image.
    asked = set(re.findall(r"^ARG (\w+)", DOCKERFILE.partition("\nSTOPSIGNAL")[0], re.MULTILINE))
    assert set(household["build"]["args"]) == asked


def test_a_household_is_one_service_with_one_volume_and_needs_nothing() -> None:
    assert len(HOUSEHOLD["services"]) == len(HOUSEHOLD["volumes"]) == 1
    (household,) = services(HOUSEHOLD).values()
    ((volume, folder),) = (mount.split(":") for mount in household["volumes"])
    assert volume in HOUSEHOLD["volumes"]
    environment = household["environment"]
    assert environment["STORYKEEP_DATA_DIR"] == folder
    assert environment["STORYKEEP_ARTIFACT_DIR"].startswith(f"{folder}/")
    assert not environment["STORYKEEP_DATABASE_URL"]
    assert not environment["STORYKEEP_REDIS_URL"]
    assert "?" not in "".join(re.findall(r"\$\{[^}]*\}", str(HOUSEHOLD)))
    # A folder of the image that is a volume and not mounted would be one without a name.
    kept = re.findall(r'"(/\w+)"', re.findall(r"^VOLUME (.*)$", DOCKERFILE, re.MULTILINE)[0])
    assert {folder, *household["tmpfs"]} >= set(kept)


def test_what_is_set_in_the_file_env_reaches_every_process() -> None:
    for service in OURS.values():
        assert service["env_file"] == [{"path": ".env", "required": False}]
    # What a compose file decides is not overridden by what .env has for another way of running.
    decided = {"DATABASE_URL", "REDIS_URL", "DATA_DIR", "ARTIFACT_DIR", "BIND", "PORT"}
    for service in OURS.values():
        environment = service["environment"]
        assert all(environment[f"STORYKEEP_{name}"] is not None for name in decided)


def test_printed_links_name_the_port_that_is_published() -> None:
    for service in WITH_PAGES:
        environment = service["environment"]
        assert environment["STORYKEEP_PUBLISHED_PORT"] == "${PORT:-8000}"
        for port in service.get("ports", ()):
            assert port == "${PORT:-8000}:" + environment["STORYKEEP_PORT"]


def test_one_port_is_published_and_one_value_required() -> None:
    assert [name for name, service in SERVER["services"].items() if "ports" in service] == ["web"]
    assert set(re.findall(r"\$\{(\w+):\?", str(SERVER))) == {"DATABASE_PASSWORD"}


def test_a_further_host_has_workers_alone_and_what_they_share_is_given() -> None:
    (worker,) = FURTHER["services"].values()
    here = SERVER["services"]["worker"]
    assert worker["command"] == here["command"]
    assert worker["healthcheck"] == here["healthcheck"]
    assert worker["stop_grace_period"] == here["stop_grace_period"]
    assert "ports" not in worker
    assert worker["build"] == services(SERVER)["migrate"]["build"]
    required = set(re.findall(r"\$\{(\w+):\?", str(FURTHER)))
    shared = set(re.findall(r"\$\{(\w+):\?", str(SHARED))) | {"DATABASE_PASSWORD"}
    assert required == shared - {"PRIVATE_ADDRESS"} | {"FIRST_HOST"}
    assert required >= {"STORYKEEP_SECRET_KEY", "STORYKEEP_ARTIFACT_STORE"}


def test_a_shared_database_is_reached_by_a_password_at_a_private_address() -> None:
    assert set(SHARED["services"]) <= set(SERVER["services"])
    for name, service in SHARED["services"].items():
        for port in service.get("ports", ()):
            assert name in {"database", "redis"}
            assert port.startswith("${PRIVATE_ADDRESS:?")
    redis = SHARED["services"]["redis"]
    before = SERVER["services"]["redis"]["command"]
    assert redis["command"][: len(before)] == before
    assert redis["command"][len(before)] == "--requirepass"
    assert redis["command"][-1] == redis["environment"]["REDISCLI_AUTH"]
    for name in services(SERVER):
        address = SHARED["services"][name]["environment"]["STORYKEEP_REDIS_URL"]
        assert address.startswith("redis://:${REDIS_PASSWORD:?")


def test_what_is_optional_is_a_profile() -> None:
    optional = {name for name, service in SERVER["services"].items() if "profiles" in service}
    assert optional == {"browser"}
    browser = SERVER["services"]["browser"]
    # The guard listens on the worker's loopback, and whoever reaches the browser can use it.
    assert browser["network_mode"] == "service:worker"
    assert "--remote-debugging-address=127.0.0.1" in browser["command"]
    needed = set(SERVER["services"]) - optional
    for name in needed:
        assert not optional & set(SERVER["services"][name].get("depends_on", ()))


def test_nothing_of_ours_may_do_more_than_it_has_to() -> None:
    for service in OURS.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service


def test_database_and_redis_reach_nothing_and_are_reached_by_us_alone() -> None:
    closed = [
        name for name, network in SERVER["networks"].items() if (network or {}).get("internal")
    ]
    for name in ("database", "redis"):
        assert SERVER["services"][name]["networks"] == closed
        assert "ports" not in SERVER["services"][name]


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_compose_has_no_password_of_its_own(path: Path) -> None:
    for value in re.findall(r"PASSWORD:[ ]+(\S.*)", path.read_text(encoding="utf-8")):
        assert value.startswith("${")


def test_what_is_copied_exists_and_is_sent() -> None:
    sent = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    copied = {name for line in lines for name in line.split()}
    # A pattern is for a file that need not be there.
    assert "ca.pe[m]" in copied
    assert {name.replace("[", "").replace("]", "") for name in copied} == sent
    assert all((ROOT / name).exists() for name in copied if "[" not in name)


def test_an_authority_of_ones_own_stays_out_of_the_image_and_the_repository() -> None:
    before_last_stage = DOCKERFILE.rpartition("\nFROM ")[0]
    assert before_last_stage.count("rm -rf requirements") == 1
    assert "requirements" not in DOCKERFILE.rpartition("\nFROM ")[2]
    assert {"ca.pem", ".env"} <= set((ROOT / ".gitignore").read_text().splitlines())


def test_the_image_does_not_run_as_root() -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert int(user) >= 10_000
    assert re.search(r"^ARG BASE=", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${BASE}"}

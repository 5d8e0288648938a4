"""What docs/integrations offers to import: its shape, and that the names in it are ours."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.api.schemas import FileOut, JobOut
from jobs.api.status import StatusOut
from tests.unit.webapp.test_exposition import facts
from webapp import exposition

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "integrations"
PAGE = (DOCS / "integrations.md").read_text(encoding="utf-8")


@pytest.fixture
def families() -> set[str]:
    """Names of the families and of their samples' kinds that `/metrics` has."""
    body = exposition.render(facts(timezone.now()), "")[0].decode()
    names = set(re.findall(r"^# TYPE (\w+)", body, re.MULTILINE))
    return names | {f"storykeep_request_seconds_{part}" for part in ("bucket", "count", "sum")}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["alerts.yml", "grafana.json"])
def test_every_number_that_is_looked_at_is_told(name: str, families: set[str]) -> None:
    used = set(re.findall(r"\b(storykeep_\w+)", (FOLDER / name).read_text(encoding="utf-8")))
    assert used
    assert used - families == set()


@pytest.mark.django_db
def test_the_page_lists_every_number(families: set[str]) -> None:
    table = PAGE[PAGE.index("| family") : PAGE.index("## A collector")]
    listed = {f"storykeep_{name}" for name in re.findall(r"`(\w+)`", table)}
    told = {name for name in families if not re.search(r"_(bucket|count|sum)$", name)}
    assert told - listed == set()


def test_the_dashboard_has_a_place_for_each_panel() -> None:
    board: dict[str, Any] = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
    places: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        spot = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(spot["x"], spot["x"] + spot["w"])
            for y in range(spot["y"], spot["y"] + spot["h"])
        }
        assert not places & cells, panel["title"]
        places |= cells
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_takes_the_alerts() -> None:
    rules = str(FOLDER / "alerts.yml")
    done = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_workflow_holds_together(client: Client) -> None:
    """Each arrow and each name in an expression leads to a node, each address is one of the API."""
    text = (FOLDER / "n8n-save.json").read_text(encoding="utf-8")
    flow: dict[str, Any] = json.loads(text)
    names = [node["name"] for node in flow["nodes"]]
    assert len(set(names)) == len(names) == len({node["id"] for node in flow["nodes"]})
    arrows = {
        (source, arrow["node"])
        for source, outputs in flow["connections"].items()
        for output in outputs["main"]
        for arrow in output
    }
    assert {name for arrow in arrows for name in arrow} == set(names)
    assert ("Look again", "Still open?") in arrows
    assert set(re.findall(r"\$\('([^']+)'\)", text)) <= set(names)
    paths = set(client.get("/api/v1/openapi.json").json()["paths"])
    asked = {path.rstrip("/") for path in re.findall(r"(/api/v1/\w+/?)", text)}
    assert asked <= paths
    assert not re.search(r"sk_\w{8}|Bearer \w", text)
    assert {"state", "items"} <= set(JobOut.model_fields)
    assert "url" in FileOut.model_fields


def test_the_sensor_reads_what_the_status_tells() -> None:
    attributes = re.search(r"json_attributes: \[(.*)\]", PAGE)
    assert attributes
    assert set(attributes[1].split(", ")) <= set(StatusOut.model_fields)
    assert set(re.findall(r"value_json\.(\w+)", PAGE)) <= set(StatusOut.model_fields)

"""The bill of materials: what is in it, of which files, and that it is the same each time."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

import pytest

from tools import sbom, version

HASH = "0" * 64


def test_each_installed_pin_is_in_it_with_licence_and_hashes() -> None:
    text = sbom.LOCK.read_text(encoding="utf-8")
    bill = sbom.bill(text)
    by_name = {component["name"]: component for component in bill["components"]}
    assert len(by_name) > 40
    for name, component in by_name.items():
        assert component["version"] == metadata.version(name)
        assert component["licenses"], name
        (files,) = component["externalReferences"]
        assert files["hashes"], name
        for each in files["hashes"]:
            assert f"--hash=sha256:{each['content']}" in text
    assert bill["metadata"]["component"]["version"] == version.current()
    refs = [component["bom-ref"] for component in bill["components"]]
    assert bill["dependencies"][0]["dependsOn"] == refs


def test_it_is_the_same_each_time_and_without_a_time() -> None:
    text = sbom.LOCK.read_text(encoding="utf-8")
    first, second = sbom.bill(text), sbom.bill(text)
    assert json.dumps(first) == json.dumps(second)
    assert "timestamp" not in first["metadata"]
    assert first["serialNumber"] != sbom.bill("")["serialNumber"]


def test_what_is_not_installed_is_not_in_it() -> None:
    pytest_version = metadata.version("pytest")
    lock = (
        f"not-here-at-all==1.0 \\\n    --hash=sha256:{HASH}\n"
        f"pytest==0.0.1 ; python_version < '3' \\\n    --hash=sha256:{HASH}\n"
        f"pytest=={pytest_version} ; python_version > '3' \\\n    --hash=sha256:{'1' * 64}\n"
        "    # via something\n"
    )
    (component,) = sbom.bill(lock)["components"]
    assert component["version"] == pytest_version
    assert component["externalReferences"][0]["hashes"][0]["content"] == "1" * 64
    assert component["licenses"] == [{"expression": "MIT"}]


def test_it_is_written_or_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "sbom.cdx.json"
    assert sbom.main([str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert sbom.main([]) == 0
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", json.loads(path.read_text())["serialNumber"])

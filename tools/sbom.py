"""`make sbom`: what an installed copy consists of, as CycloneDX 1.6 in JSON.

python -m tools.sbom [FILE]

Run by the Python of the environment it is about: of each pin of requirements/base.lock that is
installed there it gives version, licence and the hashes a file of it may have. The same environment
gives the same bytes: there is no time in it, and its serial number is made of the rest.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from tools.version import ROOT, current

LOCK: Final = ROOT / "requirements" / "base.lock"
_PIN: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)(?P<rest>(?:.*\\\n)*.*)",
    re.MULTILINE,
)
_NAMESPACE: Final = uuid.UUID("5f0c1d0e-6c0b-5b8e-9d3a-0d7c5e3b2a19")


def bill(lock: str) -> dict[str, Any]:
    """The bill of materials of this environment, as far as the text of a lock file names it."""
    components = []
    for pin in _PIN.finditer(lock):
        told = _installed(pin["name"], pin["version"])
        if told is not None:
            hashes = sorted(set(re.findall(r"--hash=sha256:([0-9a-f]{64})", pin["rest"])))
            components.append(_component(pin["name"], pin["version"], told, hashes))
    components.sort(key=lambda component: (component["name"], component["version"]))
    refs = [component["bom-ref"] for component in components]
    version = current()
    app = {
        "type": "application",
        "bom-ref": f"storykeep@{version}",
        "name": "storykeep",
        "version": version,
        "licenses": [{"license": {"id": "MIT"}}],
    }
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": app,
            "properties": [
                {"name": "storykeep:python", "value": platform.python_version()},
                {"name": "storykeep:platform", "value": f"{sys.platform}-{platform.machine()}"},
            ],
        },
        "components": components,
        "dependencies": [{"ref": app["bom-ref"], "dependsOn": refs}],
    }
    serial = uuid.uuid5(_NAMESPACE, json.dumps(document, sort_keys=True))
    return {**document, "serialNumber": f"urn:uuid:{serial}"}


def _installed(name: str, version: str) -> Any:
    """What a package says of itself; None when it is not here in this version."""
    try:
        told: Any = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    return told if told["Version"] == version else None


def _component(name: str, version: str, told: Any, hashes: list[str]) -> dict[str, Any]:
    canonical = re.sub(r"[-_.]+", "-", name).lower()
    purl = f"pkg:pypi/{canonical}@{version}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": canonical,
        "version": version,
        "purl": purl,
        # Any one of these files may be the one that is installed.
        "externalReferences": [
            {
                "type": "distribution",
                "url": purl,
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in hashes],
            }
        ],
    }
    if summary := (told.get("Summary") or "").strip():
        component["description"] = summary
    if licences := _licences(told):
        component["licenses"] = licences
    return component


def _licences(told: Any) -> list[dict[str, Any]]:
    if expression := told.get("License-Expression"):
        return [{"expression": expression}]
    names = [
        line.rpartition(" :: ")[2]
        for line in told.get_all("Classifier") or []
        if line.startswith("License :: ") and line.count(" :: ") > 1
    ]
    first_line = (told.get("License") or "").strip().partition("\n")[0][:80]
    return [{"license": {"name": name}} for name in names or filter(None, [first_line])]


def main(argv: list[str]) -> int:
    """Write the bill into a file, or print it."""
    text = json.dumps(bill(LOCK.read_text(encoding="utf-8")), indent=1, ensure_ascii=False) + "\n"
    if argv:
        path = Path(argv[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The Kubernetes manifests agree with code and image, and ask for no more than they need."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from webapp.env import SECRETS, Env
from webapp.management.commands.up import SPECS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OF_THE_STORE = re.compile(r"STORYKEEP_ARTIFACT_STORE(_\w+)?")


def manifests(folder: Path) -> list[dict[str, Any]]:
    """Every document of the files that a kustomization names."""
    named = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    files = [name for name in named["resources"] if name.endswith(".yaml")]
    assert set(files) == {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    texts = [(folder / name).read_text(encoding="utf-8") for name in files]
    return [document for text in texts for document in yaml.safe_load_all(text)]


BASE = manifests(FOLDER / "base")
RUNNING = {one["metadata"]["name"]: one for one in BASE if one["kind"] in {"Deployment", "Job"}}


def pods() -> dict[str, dict[str, Any]]:
    """The pods' specifications, by the name of what makes them."""
    return {name: one["spec"]["template"]["spec"] for name, one in RUNNING.items()}


def containers() -> Iterator[dict[str, Any]]:
    """Every container, those that only wait as well."""
    for pod in pods().values():
        yield from pod.get("initContainers", [])
        yield from pod["containers"]


def test_each_part_has_its_manifest_and_the_database_is_prepared_once() -> None:
    roles = {pod["containers"][0]["args"][2]: name for name, pod in pods().items()}
    assert set(roles) == {"migrate", *SPECS}
    assert RUNNING[roles["migrate"]]["kind"] == "Job"
    assert RUNNING[roles["migrate"]]["spec"]["completions"] == 1
    for role, name in roles.items():
        (container,) = pods()[name]["containers"]
        assert container["args"] == ["up", "--only", role]
        # What is not prepared is waited for, not run into.
        waits = [one["args"] for one in pods()[name].get("initContainers", [])]
        assert waits == ([] if role == "migrate" else [["migrate", "--check"]])


def test_every_setting_exists() -> None:
    known = {f"STORYKEEP_{name.upper()}" for name in Env.model_fields}
    known |= {f"STORYKEEP_{name.upper()}_FILE" for name in SECRETS}
    named = {one["name"] for container in containers() for one in container["env"]}
    for name in ("settings.env", "secrets.env.example"):
        text = (FOLDER / "example" / name).read_text(encoding="utf-8")
        named |= {line.partition("=")[0] for line in text.splitlines() if line[0] != "#"}
    assert {name for name in named - known if not OF_THE_STORE.fullmatch(name)} == set()


def test_what_may_not_be_each_pods_own_is_a_secret_of_all() -> None:
    text = (FOLDER / "example" / "secrets.env.example").read_text(encoding="utf-8")
    given = set(re.findall(r"^(STORYKEEP_\w+)=", text, re.MULTILINE))
    assert {f"STORYKEEP_{name}" for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL")} <= given
    settings = (FOLDER / "example" / "settings.env").read_text(encoding="utf-8")
    secret = {f"STORYKEEP_{name.upper()}" for name in SECRETS} | {"STORYKEEP_SECRET_KEY"}
    assert not secret & set(re.findall(r"^(STORYKEEP_\w+)=", settings, re.MULTILINE))
    assert "secrets.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for container in containers():
        sources = [next(iter(one)) for one in container["envFrom"]]
        assert sources == ["configMapRef", "secretRef"]


def test_the_clusters_own_variables_are_not_taken_for_settings() -> None:
    assert all(pod["enableServiceLinks"] is False for pod in pods().values())


def test_nothing_may_do_more_than_it_has_to() -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    for pod in pods().values():
        assert pod["automountServiceAccountToken"] is False
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == int(user)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers():
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_every_folder_that_is_written_is_mounted() -> None:
    kept = set(re.findall(r'"(/\w+)"', re.findall(r"^VOLUME (.*)$", DOCKERFILE, re.MULTILINE)[0]))
    for pod in pods().values():
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert set(mounts) == kept | {"/tmp"}
            assert set(mounts.values()) == volumes


def test_probes_ask_what_there_is() -> None:
    for name, pod in pods().items():
        (container,) = pod["containers"]
        probes = {key: value for key, value in container.items() if key.endswith("Probe")}
        assert bool(probes) == (RUNNING[name]["kind"] == "Deployment")
        for probe in probes.values():
            if "httpGet" in probe:
                # What all pods share is no reason to take every one of them away.
                assert probe["httpGet"] == {"path": "/health/live", "port": "http"}
            else:
                python, option, module, check = probe["exec"]["command"]
                assert (python, option, check) == ("python", "-m", "--check")
                assert importlib.util.find_spec(module)


def test_a_pod_belongs_to_what_selects_it() -> None:
    for one in RUNNING.values():
        labels = one["spec"]["template"]["metadata"]["labels"]
        if one["kind"] == "Deployment":
            assert one["spec"]["selector"]["matchLabels"] == labels
    (service,) = (one for one in BASE if one["kind"] == "Service")
    web = RUNNING["storykeep-web"]["spec"]["template"]
    assert service["spec"]["selector"] == web["metadata"]["labels"]
    (port,) = service["spec"]["ports"]
    assert port["targetPort"] in {one["name"] for one in web["spec"]["containers"][0]["ports"]}


def test_the_example_leads_in_and_names_an_image_with_a_version() -> None:
    overlay = yaml.safe_load((FOLDER / "example" / "kustomization.yaml").read_text())
    assert overlay["images"][0]["name"] == "storykeep"
    assert {container["image"] for container in containers()} == {"storykeep"}
    assert overlay["images"][0]["newTag"] not in {"", "latest"}
    documents = [
        yaml.safe_load((FOLDER / "example" / name).read_text())
        for name in overlay["resources"]
        if name.endswith(".yaml")
    ]
    (ingress,) = (one for one in documents if one["kind"] == "Ingress")
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "storykeep-web", "port": {"name": "http"}}


@pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl to build it with")
def test_kustomize_builds_the_example(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    example = tmp_path / "kubernetes" / "example"
    (example / "secrets.env.example").rename(example / "secrets.env")
    built = subprocess.run(
        ["kubectl", "kustomize", str(example)], capture_output=True, text=True, check=True
    ).stdout
    documents = list(yaml.safe_load_all(built))
    kinds = sorted(one["kind"] for one in documents)
    assert kinds.count("Deployment") == 3
    assert {"ConfigMap", "Ingress", "Job", "Namespace", "Secret", "Service"} <= set(kinds)
    names = {one["metadata"]["name"] for one in documents}
    for one in documents:
        if one["kind"] in {"Deployment", "Job"}:
            for container in one["spec"]["template"]["spec"]["containers"]:
                # A changed setting is another name, so that pods are replaced.
                (settings, secrets) = container["envFrom"]
                assert settings["configMapRef"]["name"] in names - {"storykeep"}
                assert secrets["secretRef"]["name"] in names - {"storykeep"}

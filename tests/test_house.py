"""The house rules: who may import whom, and what must not be forgotten."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("webapp", "jobs", "accounts", "notices", "stories")

BELOW = {
    "webapp": {"webapp", "jobs", "accounts", "notices", "stories"},
    "jobs": {"jobs", "notices", "stories"},
    "accounts": {"accounts"},
    "notices": {"notices"},
    "stories": {"stories"},
}
"""Each room and the rooms it may import from."""

ONLY_IN = {
    "httpx": (
        "jobs/library/immich.py",
        "stories/browser/answers.py",
        "stories/browser/sidecar.py",
        "stories/browser/visit.py",
        "stories/http/body.py",
        "stories/http/document.py",
        "stories/http/error_mapping.py",
        "stories/http/media_head.py",
        "stories/http/media_requests.py",
        "stories/http/media_transport.py",
        "stories/http/session.py",
        "stories/http/transports.py",
        "webapp/sending.py",
    ),
    "websockets": ("stories/browser/sidecar.py",),
    "httpx_curl_cffi": ("stories/http/transports.py",),
    "curl_cffi": (
        "stories/http/curl_loop.py",
        "stories/http/error_mapping.py",
        "stories/http/media_transport.py",
        "stories/http/transports.py",
    ),
    "obstore": ("jobs/files/bucket.py",),
    "apprise": ("notices/apprise_child.py",),
    "webpush": ("notices/push_message.py",),
    "cryptography": (
        "notices/push_message.py",
        "notices/sealing.py",
        "notices/vapid.py",
        "stories/helper/smoke.py",
        "stories/protocol/signing.py",
        "webapp/backups/wrapping.py",
    ),
    "av": (
        "stories/media/decoders.py",
        "stories/media/derive.py",
        "stories/media/posters.py",
        "stories/media/remux.py",
        "stories/media/strict_decoding.py",
        "stories/media/tracks.py",
        "stories/media/verify.py",
    ),
    "PIL": (
        "stories/media/avatars.py",
        "stories/media/decoders.py",
        "stories/media/jpeg_writing.py",
        "stories/media/picture_dates.py",
        "stories/media/pictures.py",
        "stories/media/posters.py",
    ),
    "prometheus_client": ("webapp/exposition.py",),
    "sentry_sdk": ("webapp/crash_reports.py",),
    "opentelemetry": ("webapp/traces.py",),
    "redis": (
        "jobs/ephemeral/connection.py",
        "jobs/ephemeral/damaged_files.py",
        "jobs/ephemeral/orphan_files.py",
        "jobs/ephemeral/progress.py",
        "jobs/ephemeral/request_times.py",
        "webapp/processes/transport.py",
    ),
    "celery": (
        "jobs/tasks.py",
        "webapp/processes/side_queue.py",
        "webapp/consumer.py",
        "webapp/celery.py",
        "webapp/intake.py",
        "webapp/telemetry.py",
        "webapp/worker.py",
    ),
    "kombu": (
        "jobs/queue/broker.py",
        "webapp/processes/side_queue.py",
        "webapp/processes/transport.py",
        "webapp/celery.py",
    ),
    "gunicorn": (
        "webapp/server/answering.py",
        "webapp/server/incoming.py",
        "webapp/server/loop.py",
        "webapp/server/uploads.py",
        "webapp/web.py",
    ),
    "requests": ("accounts/oidc/wire.py",),
    "jwt": ("accounts/oidc/id_token.py",),
    "allauth": (
        "accounts/adapters.py",
        "accounts/oidc/adapter.py",
        "accounts/oidc/client.py",
        "accounts/oidc/confirmation.py",
        "accounts/oidc/links.py",
        "accounts/oidc/views.py",
        "accounts/passkeys.py",
        "accounts/passwords.py",
        "accounts/throttling.py",
        "accounts/signin.py",
        "accounts/totp.py",
    ),
}
"""Who may use a library: to replace one, these are the files to change."""

FRAMEWORKS = {"django", "celery", "kombu", "redis", "ninja", "pydantic", "whitenoise"}
"""What `stories` knows nothing of."""

READS_ENVIRONMENT = ("webapp/env.py", "webapp/telemetry.py", "webapp/worker.py")
SETS_DJANGO_SETTINGS = ("manage.py", "webapp/wsgi.py", "webapp/celery.py")


@cache
def sources() -> tuple[Path, ...]:
    """Every module of the rooms, migrations left out."""
    found = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return tuple(path for path in found if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    """As it is written in the rules above."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The module, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[str]:
    """The dotted names a module imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: write imports in full"
            yield node.module or ""


def tracked() -> list[Path]:
    """Every file of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = [name for name in listed.stdout.decode().split("\0") if name]
    return [path for name in names if (path := ROOT / name).is_file()]


def of_each(paths: Sequence[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """One test of a rule for all files: one for each took longer than the rules."""

    def for_all(rule: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            broken = []
            for path in paths:
                try:
                    rule(path)
                except AssertionError as error:
                    broken.append(f"{name_of(path)}: {error}")
            assert not broken, "\n".join(broken)

        test.__doc__ = rule.__doc__
        return test

    return for_all


@of_each(sources())
def test_imports_point_downwards(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    for imported in imports(path):
        top = imported.partition(".")[0]
        assert top != "tests", f"{name_of(path)} imports tests"
        if top in ROOMS:
            assert top in BELOW[room], f"{name_of(path)} imports {imported}"


@of_each(sources())
def test_a_library_stays_where_it_belongs(path: Path) -> None:
    for imported in imports(path):
        top = imported.partition(".")[0]
        if top in ONLY_IN:
            assert name_of(path) in ONLY_IN[top], f"{name_of(path)} imports {imported}"
        if path.is_relative_to(ROOT / "stories"):
            assert top not in FRAMEWORKS, f"{name_of(path)} imports {imported}"


@of_each([*sources(), ROOT / "manage.py"])
def test_only_env_reads_the_environment(path: Path) -> None:
    allowed = name_of(path) in READS_ENVIRONMENT
    for node in ast.walk(tree(path)):
        used = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Call) else ""
        if used.startswith("os.environ.setdefault('DJANGO_SETTINGS_MODULE'"):
            allowed = allowed or name_of(path) in SETS_DJANGO_SETTINGS
        if isinstance(node, ast.Attribute) and re.match(r"os\.(environ|getenv|putenv)\b", used):
            assert allowed, f"{name_of(path)}:{node.lineno} reads the environment"


@of_each(sources())
def test_every_module_and_public_name_says_what_it_is(path: Path) -> None:
    module = tree(path)
    assert ast.get_docstring(module), f"{name_of(path)} does not say what it owns"
    for node in module.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # An error class says it in its message.
            told = ast.get_docstring(node) or any(
                isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "message"
                for line in node.body
            )
            assert told or node.name.startswith("_"), f"{name_of(path)}: {node.name}"


def test_there_is_no_place_for_what_has_no_place() -> None:
    undecided = {"utils.py", "helpers.py", "services.py", "misc.py", "common.py"}
    assert not [name_of(path) for path in sources() if path.name in undecided]


def test_every_error_has_words_and_a_line_in_the_documentation() -> None:
    from jobs.errors import BY_CODE

    rows = {}
    for line in (ROOT / "docs" / "errors.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            code, *cells = (cell.strip() for cell in line.strip("|").split(" |"))
            rows[code.strip("`")] = cells
    assert set(rows) >= set(BY_CODE)
    for code, cls in BY_CODE.items():
        assert re.fullmatch(r"[a-z_]+", code)
        assert cls.message
        assert rows[code] == [cls.message, cls.hint or "–", "yes" if cls.retryable else "no"], code


def test_no_error_code_means_two_things() -> None:
    from stories.errors import StoriesError

    def branches(root: type[StoriesError]) -> Iterator[type[StoriesError]]:
        for branch in root.__subclasses__():
            yield branch
            yield from branches(branch)

    codes = [vars(cls)["code"] for cls in set(branches(StoriesError)) if "code" in vars(cls)]
    assert sorted(codes) == sorted(set(codes))


def test_a_bug_has_an_id_of_one_kind() -> None:
    """`jobs.errors.new_bug_id` makes them; nothing else stands in a log and in a message."""
    makers = re.compile(r"token_hex\(|\.hex\[:")
    found = {name_of(path) for path in sources() if makers.search(path.read_text(encoding="utf-8"))}
    assert found == {"jobs/errors.py"}


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    from django.core.management import call_command

    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def printed_by(program: str) -> list[str]:
    """The words that a process of its own prints, with the settings of tests."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_the_web_process_loads_no_decoder_and_no_client() -> None:
    """What only the worker needs would cost the web process some 30 MiB; Celery, which the first
    paste loads, another 10."""
    loads = (
        "import tests.settings, django, sys; django.setup();"
        "import webapp.urls;"
        "unneeded = {'av', 'PIL', 'curl_cffi', 'httpx', 'celery.app', 'jobs.tasks'};"
        "print(*sorted(unneeded & sys.modules.keys()))"
    )
    assert printed_by(loads) == []


def test_a_helper_that_is_not_installed_costs_nothing() -> None:
    """Neither the web process nor a worker with its client loads what runs one, nor its trial:
    nothing but where it would be."""
    loads = (
        "import tests.settings, django, sys; django.setup();"
        "import webapp.urls, jobs.tasks, jobs.fetching.bridge, stories.client, stories.lookup;"
        "import jobs.upstream.client;"
        "parts = ('stories.helper', 'stories.helper_way', 'jobs.ops.helper_install');"
        "print(*sorted(name for name in sys.modules if name.startswith(parts)))"
    )
    assert printed_by(loads) == ["stories.helper", "stories.helper.installed"]


def test_telling_people_costs_nothing_while_nobody_is_told() -> None:
    """Neither the web process nor a worker that has nothing to send loads what encrypts, signs or
    sends a message; Apprise never gets into either."""
    loads = (
        "import tests.settings, django, sys; django.setup();"
        "import webapp.urls, webapp.notices_due, notices.delivering, notices.channels;"
        "unneeded = {'webpush', 'apprise', 'jwt', 'httpx', 'webapp.sending'};"
        "print(*sorted(unneeded & sys.modules.keys()))"
    )
    assert printed_by(loads) == []


@pytest.mark.parametrize("provider", [False, True], ids=["without", "with"])
def test_a_provider_that_is_not_set_costs_nothing(tmp_path: Path, provider: bool) -> None:
    """Neither its client nor what that needs is loaded, nor are there tables of it."""
    loads = (
        "import django, sys; django.setup(); import webapp.urls, accounts.proxy_signin;"
        "from django.apps import apps;"
        "parts = ('requests', 'jwt', 'oauthlib', 'allauth.socialaccount');"
        "print(*sorted(part for part in parts if part in sys.modules), sep=',');"
        "print(apps.is_installed('allauth.socialaccount'))"
    )
    ours = {
        "STORYKEEP_OIDC_ISSUER": "https://auth.example.org",
        "STORYKEEP_OIDC_CLIENT_ID": "storykeep",
        "STORYKEEP_OIDC_CLIENT_SECRET": "secret",
        "STORYKEEP_PUBLIC_URL": "https://stories.example.org",
    }
    done = subprocess.run(
        [sys.executable, "-c", loads],
        cwd=ROOT,
        env={
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
            "PYTHONPATH": str(ROOT),
            "STORYKEEP_DATA_DIR": str(tmp_path),
            **(ours if provider else {}),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    loaded, installed = done.stdout.splitlines()
    assert installed == str(provider)
    assert provider or loaded == ""


@pytest.mark.parametrize("name", ["supervisor", "child", "json_lines", "stop_requests"])
def test_the_supervisor_needs_the_standard_library_alone(name: str) -> None:
    """And the files beside it that it imports."""
    path = ROOT / "webapp" / "processes" / f"{name}.py"
    ours = {f"webapp.processes.{part}" for part in ("child", "json_lines", "stop_requests")}
    allowed = {*sys.stdlib_module_names, *ours}
    assert {
        imported if imported.startswith("webapp") else imported.partition(".")[0]
        for imported in imports(path)
    } <= allowed


def test_the_version_is_the_same_everywhere() -> None:
    from jobs import VERSION

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == VERSION


def test_pins_agree_and_name_no_index() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index" not in text
        found = re.findall(r"^([A-Za-z0-9._\[\]-]+==\S+)(.*) \\$", text, re.MULTILINE)
        assert len(re.findall(r"^ +--hash=sha256:", text, re.MULTILINE)) >= len(found)
        return {f"{pin}{marker}" for pin, marker in found}

    assert pins("base") < pins("dev")
    assert pins("attack")


OURS = re.compile(
    r"(?<![\w.])/(?:home|root|Users|work|usr/local/lib)/[A-Za-z0-9_.-]+"  # where someone works
    r"|(?:pypi|pythonhosted|npmjs|quay|ghcr|docker|gcr)\.(?:org|io|com)",  # where something is had
)


def test_no_file_names_a_registry_or_someones_folder() -> None:
    found = []
    for path in tracked():
        if path == Path(__file__) or path.suffix in {".lock", ".png", ".ico", ".woff2"}:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        text = text.replace('"docker.io", ', "")  # Debian's name of a package
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in OURS.finditer(text)]
    assert not found

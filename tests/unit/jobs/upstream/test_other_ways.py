"""The ways beside our own requests: made when they are set up, and nothing of them before."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from jobs.upstream import other_ways
from jobs.upstream.client import client_config
from jobs.upstream.other_ways import OtherWays
from stories.identity import identity_ladder

pytestmark = pytest.mark.anyio


@pytest.fixture
def data_dir(tmp_path: Path, set_env: Any) -> Path:
    set_env(data_dir=tmp_path)
    return tmp_path


def install(data_dir: Path, version: str = "1.32.18") -> None:
    """The look of an installed helper."""
    python = data_dir / "helpers" / "gallery-dl" / version / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (data_dir / "helpers" / "gallery-dl" / "current").write_text(f"{version}\n")


async def test_by_default_there_is_neither(data_dir: Path) -> None:
    others = OtherWays(client_config())
    assert (others.browser, others.helper()) == (None, None)
    await others.aclose()


async def test_a_browser_by_setting(data_dir: Path, set_env: Any) -> None:
    set_env(browser=SecretStr("ws://127.0.0.1:9222/?token=secret"))
    others = OtherWays(client_config())
    assert others.browser is not None
    assert (await others.browser.ready()).ok
    await others.aclose()


async def test_a_helper_is_there_from_the_moment_it_is_installed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = OtherWays(client_config())
    assert others.helper() is None
    install(data_dir)
    helper = others.helper()
    assert helper is not None
    assert others.helper() is helper, "one run at a time, so one of it"
    with monkeypatch.context() as patched:
        newer = replace(identity_ladder("curl")[0], user_agent="of a newer pack")
        patched.setattr(other_ways, "identity_ladder", lambda _: (newer,))
        assert others.helper() is helper
        assert helper.user_agent == "of a newer pack", "without a restart"
    (data_dir / "helpers" / "gallery-dl" / "current").unlink()
    assert others.helper() is None
    await others.aclose()


def test_what_is_off_is_not_imported() -> None:
    code = (
        "import os, sys, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'webapp.settings';"
        "django.setup();"
        "from jobs.fetching import bridge; from jobs.upstream.other_ways import OtherWays;"
        "from jobs.upstream.client import client_config; from stories import harvest;"
        "OtherWays(client_config()).helper();"
        "print([name for name in sys.modules if name.startswith(('websockets', "
        "'stories.browser.', 'stories.helper.gallery', 'stories.http.guard'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

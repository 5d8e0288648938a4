"""A restore by the set-up link while several web processes run: all of them know what came back."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.integration.test_backup import PASSPHRASE, fill, manage, multipart
from tests.integration.test_backup import base as base
from tests.integration.test_up import Instance, environment, free_port
from tests.integration.test_up import folder as folder
from tests.integration.test_up import up as up

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("backup"),
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        os.environ.get("STORYKEEP_DATABASE_URL", "").startswith("postgres"), reason="SQLite"
    ),
]
_FIELD = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


def token_of(page: str) -> str:
    found = _FIELD.search(page)
    assert found, page
    return found[1]


def test_who_signs_in_after_it_is_signed_in_at_each(
    up: Callable[..., Instance], base: Path
) -> None:
    """One has restored the key, and the others take it without a restart."""
    old = environment(base / "data", free_port())
    fill(old)
    file = base / "keep.tar"
    assert manage(old | PASSPHRASE, "backup", str(file)).returncode == 0
    instance = up(STORYKEEP_WEB_PROCESSES="2")
    link = urlsplit(instance.wait_for_line(r"(http\S+/setup/\S+/)")[1]).path
    site = f"http://127.0.0.1:{instance.port}"

    def account(cookie: str) -> int:
        """The answer to a browser that was never there before, and brings this cookie."""
        given = {"sessionid": cookie}
        page = f"{site}/account/"
        return requests.get(page, cookies=given, timeout=60, allow_redirects=False).status_code

    with ThreadPoolExecutor(32) as pool:
        set(pool.map(account, [""] * 64))  # both have begun to answer
        browser = requests.Session()
        address = f"{site}{link}restore/"
        fields = {"csrfmiddlewaretoken": token_of(browser.get(address, timeout=60).text)}
        body, kind = multipart(fields | {"passphrase": "correct horse"}, file.read_bytes())
        headers = {"Content-Type": kind}
        answer = browser.post(address, body, headers=headers, timeout=300)
        assert "2 accounts are back" in answer.text
        given = {
            "csrfmiddlewaretoken": token_of(browser.get(f"{site}/login/", timeout=60).text),
            "login": "root",
            "password": "root and more",
        }
        browser.post(f"{site}/login/", given, timeout=60)
        cookie = browser.cookies["sessionid"]
        codes = set(pool.map(account, [cookie] * 96))
    assert codes == {200}
    instance.wait_for_line(r"web-\d .*the secret key is another one now")
    assert not [line for line in instance.lines if re.search(r"web-\d died", line)]

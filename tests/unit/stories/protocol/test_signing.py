"""Envelopes: what is in them was signed by who it says, to the last byte."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stories.protocol.keys import key_id
from stories.protocol.reading import PackRefused
from stories.protocol.signing import SALT, new_private_key, open_envelope, public_key, seal
from tests import packs

SEALED = seal('{"a": "ä"}', packs.PRIVATE)


def refused(envelope: str | bytes) -> str:
    with pytest.raises(PackRefused) as caught:
        open_envelope(envelope.encode() if isinstance(envelope, str) else envelope, packs.KEYS)
    return caught.value.reason


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    envelope = json.loads(SEALED)
    change(envelope)
    return json.dumps(envelope)


def test_what_was_signed_comes_out_as_it_was() -> None:
    assert open_envelope(SEALED.encode(), packs.KEYS) == '{"a": "ä"}'.encode()
    # However the envelope itself is written.
    assert open_envelope(json.dumps(json.loads(SEALED)).encode(), packs.KEYS)


def test_a_changed_document_is_refused() -> None:
    assert refused(changed(lambda envelope: envelope.update(pack='{"a": "b"}'))) == "bad_signature"
    assert refused(changed(lambda envelope: envelope.update(pack='{"a":"ä"}'))) == "bad_signature"


def test_a_signature_of_something_else_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    bare = Ed25519PrivateKey.from_private_bytes(packs.PRIVATE).sign('{"a": "ä"}'.encode())
    text = base64.b64encode(bare).decode()
    assert refused(changed(lambda envelope: envelope.update(signature=text))) == "bad_signature"
    assert SALT


def test_another_key_under_a_trusted_name_is_refused() -> None:
    other = json.loads(seal('{"a": "ä"}', new_private_key()))
    other["key"] = key_id(packs.PUBLIC)
    assert refused(json.dumps(other)) == "bad_signature"


def test_a_key_that_is_not_trusted_is_named() -> None:
    private = new_private_key()
    with pytest.raises(PackRefused, match=key_id(public_key(private))) as caught:
        open_envelope(seal("{}", private).encode(), packs.KEYS)
    assert caught.value.reason == "unknown_key"


@pytest.mark.parametrize(
    "change",
    [
        lambda envelope: envelope.pop("signature"),
        lambda envelope: envelope.update(signature=""),
        lambda envelope: envelope.update(signature="A" * 87 + "="),
        lambda envelope: envelope.update(signature=7),
        lambda envelope: envelope.update(key="a" * 15),
        lambda envelope: envelope.update(key="../../etc/passwd"),
        lambda envelope: envelope.update(pack={}),
        lambda envelope: envelope.update(pack=""),
        lambda envelope: envelope.update(more=1),
    ],
)
def test_an_envelope_of_another_form_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    assert refused(changed(change)) in {"malformed", "unknown_field"}


def test_half_a_letter_is_no_text() -> None:
    assert refused(changed(lambda envelope: envelope.update(pack="\ud800{}"))) == "not_json"


def test_a_large_envelope_is_refused_before_it_is_read() -> None:
    assert refused(b" " * 300_000) == "too_large"


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(envelope: bytes) -> None:
    assert refused(envelope)


def test_the_library_is_loaded_when_a_signature_is_checked_and_not_before() -> None:
    loads = (
        "import sys; import stories.protocol.acceptance, stories.client;"
        "from stories.protocol.current import current; current();"
        "print('cryptography' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

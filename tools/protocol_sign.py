"""Makes keys for protocol packs, signs packs and checks them; docs/protocol-pack.md says how.

python -m tools.protocol_sign keygen KEYFILE
python -m tools.protocol_sign sign KEYFILE PACK.json OUT.json
python -m tools.protocol_sign verify OUT.json [PUBLIC-KEY …]
"""

from __future__ import annotations

import argparse
import base64
import binascii
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from jobs import VERSION
from stories.protocol.acceptance import read_signed
from stories.protocol.current import built_in
from stories.protocol.keys import KEY_BYTES, key_id, trusted_keys
from stories.protocol.pack import Pack
from stories.protocol.parsing import parse
from stories.protocol.reading import PackRefused
from stories.protocol.signing import new_private_key, public_key, seal


class Failed(Exception):
    """Nothing was made; str() says why."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is asked for; 0, or 1 with a reason."""
    parser = argparse.ArgumentParser(prog="python -m tools.protocol_sign", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    keygen = actions.add_parser("keygen", help="make a key pair; prints the public half")
    keygen.add_argument("keyfile", type=Path)
    sign = actions.add_parser("sign", help="check a pack, and sign it")
    sign.add_argument("keyfile", type=Path)
    sign.add_argument("pack", type=Path)
    sign.add_argument("out", type=Path)
    verify = actions.add_parser("verify", help="check a signed pack as an instance does")
    verify.add_argument("signed", type=Path)
    verify.add_argument("keys", nargs="*", metavar="PUBLIC-KEY", help="trusted beside our own")
    options = parser.parse_args(argv)
    try:
        if options.action == "keygen":
            make_key(options.keyfile)
        elif options.action == "sign":
            sign_pack(options.keyfile, options.pack, options.out)
        else:
            pack = read_signed(
                options.signed.read_bytes(), keys=trusted_keys(options.keys), app=VERSION
            )
            _tell(f"{pack.version}, rightly signed")
    except (Failed, PackRefused, OSError, ValueError) as error:
        said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        sys.stderr.write(f"{options.action}: {said}\n")
        return 1
    return 0


def make_key(keyfile: Path) -> None:
    """Write a new private key into a file of its own, for its owner alone to read."""
    private = new_private_key()
    descriptor = os.open(keyfile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(private) + b"\n")
    public = public_key(private)
    _tell(f"public key {base64.b64encode(public).decode()} (its name: {key_id(public)})")


def read_private(keyfile: Path) -> bytes:
    """The private key in a file. Raises Failed."""
    try:
        private = base64.b64decode(keyfile.read_text("ascii").strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Failed("that file holds no private key") from error
    if len(private) != KEY_BYTES:
        raise Failed("that file holds no private key")
    return private


def sign_pack(keyfile: Path, source: Path, out: Path) -> Pack:
    """Check a document as an instance does, and write it signed; what it says, parsed."""
    private = read_private(keyfile)
    text = source.read_bytes()
    pack = parse(text, built_in())
    if pack.version <= built_in().version:
        raise Failed(f"{pack.version} is not newer than {built_in().version}, which is built in")
    signed = seal(text.decode("utf-8"), private)
    public = public_key(private)
    # Once more as it will be read: too large in its envelope is too large.
    read_signed(signed.encode("utf-8"), keys={key_id(public): public}, app=pack.minimum_app or "0")
    out.write_text(signed, encoding="utf-8")
    _tell(f"{pack.version} signed with {key_id(public)}: {out}")
    return pack


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())

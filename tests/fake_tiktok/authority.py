"""A throwaway certificate authority, made with what the app itself needs."""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_FIRST, _LAST = (
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(3000, 1, 1, tzinfo=UTC),
)  # some set clocks
_PEM = serialization.Encoding.PEM


class Authority:
    """An authority whose key is nowhere but in this process."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("Storykeep's make-believe authority")
        only_signs = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(only_signs, critical=True)
        )
        self._pem = builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM)

    def write_to(self, path: str) -> None:
        """Write the certificate, for whoever is to trust it."""
        Path(path).write_bytes(self._pem)

    def configure(self, context: ssl.SSLContext, host: str) -> None:
        """Give a server's context a certificate for a host, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(_named(host[:64]), key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM)
        secret = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with tempfile.TemporaryDirectory(prefix="fake-tiktok-") as folder:
            path = Path(folder, "chain.pem")  # `ssl` reads keys from files alone
            path.touch(mode=0o600)
            path.write_bytes(secret + certificate)
            context.load_cert_chain(path)

    def _builder(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        key_id = x509.SubjectKeyIdentifier.from_public_key(public_key)
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_FIRST)
            .not_valid_after(_LAST)
            .add_extension(key_id, critical=False)
            .add_extension(issuer_id, critical=False)
        )


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

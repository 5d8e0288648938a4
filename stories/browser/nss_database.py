"""Writes an NSS database that trusts given authorities: where Chromium on Linux looks for them.

    python -I nss_database.py FOLDER PEM_FILE

A program of its own: the library keeps one database open in the whole process. Chromium itself
needs the library (libnss3), so that it is there. Needs the standard library alone.
"""

from __future__ import annotations

import ctypes
import re
import ssl
import sys
from pathlib import Path
from typing import Any

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_TRUSTED_CA = 0x10 | 0x08  # CERTDB_TRUSTED_CA | CERTDB_VALID_CA


class _Item(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("data", ctypes.c_char_p), ("len", ctypes.c_uint)]


class _Trust(ctypes.Structure):
    _fields_ = [("ssl", ctypes.c_uint), ("email", ctypes.c_uint), ("code", ctypes.c_uint)]


def main(folder: str, pem_file: str) -> None:
    """Make the database in a folder. Raises OSError."""
    nss = _library()
    Path(folder).mkdir(parents=True, exist_ok=True)
    _check(nss.NSS_InitReadWrite(f"sql:{folder}".encode()), "NSS_InitReadWrite")
    slot = nss.PK11_GetInternalKeySlot()
    if nss.PK11_NeedUserInit(slot):
        _check(nss.PK11_InitPin(slot, None, None), "PK11_InitPin")
    text = Path(pem_file).read_text(encoding="ascii")
    for number, pem in enumerate(_PEM.findall(text)):
        _trust(nss, slot, ssl.PEM_cert_to_DER_cert(pem), number)
    nss.PK11_FreeSlot(slot)
    _check(nss.NSS_Shutdown(), "NSS_Shutdown")


def _trust(nss: Any, slot: int, der: bytes, number: int) -> None:
    database = nss.CERT_GetDefaultCertDB()
    item = _Item(0, der, len(der))
    certificate = nss.CERT_NewTempCertificate(database, ctypes.byref(item), None, 0, 1)
    if not certificate:
        return  # not one that the library reads; Chromium would not either
    name = f"storykeep-{number}".encode()
    _check(nss.PK11_ImportCert(slot, certificate, 0, name, 0), "PK11_ImportCert")
    trust = _Trust(_TRUSTED_CA, 0, 0)
    changed = nss.CERT_ChangeCertTrust(database, certificate, ctypes.byref(trust))
    _check(changed, "CERT_ChangeCertTrust")
    nss.CERT_DestroyCertificate(certificate)


def _library() -> Any:
    nss = ctypes.CDLL("libnss3.so")
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    nss.PK11_GetInternalKeySlot.restype = pointer
    nss.CERT_GetDefaultCertDB.restype = pointer
    nss.CERT_NewTempCertificate.restype = pointer
    nss.PK11_NeedUserInit.argtypes = [pointer]
    nss.PK11_InitPin.argtypes = [pointer, text, text]
    nss.PK11_FreeSlot.argtypes = [pointer]
    nss.CERT_NewTempCertificate.argtypes = [pointer, pointer, text, number, number]
    nss.PK11_ImportCert.argtypes = [pointer, pointer, ctypes.c_ulong, text, number]
    nss.CERT_ChangeCertTrust.argtypes = [pointer, pointer, pointer]
    nss.CERT_DestroyCertificate.argtypes = [pointer]
    return nss


def _check(status: int, call: str) -> None:
    if status:
        raise OSError(f"{call} failed")


if __name__ == "__main__":
    main(*sys.argv[1:3])

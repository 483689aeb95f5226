"""Certificates for tests, made by openssl."""

from __future__ import annotations

import ipaddress
import subprocess
from pathlib import Path

from lab.needs import need


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a host name or address, signed by itself, and its key."""
    cert, key = directory / f"{name}.pem", directory / f"{name}.key"
    try:
        kind = f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        kind = f"DNS:{name}"
    command = [need("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key

"""The certificate authorities that are trusted beside the system's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pivot.errors import LocalError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


def find_authorities(environment: Mapping[str, str]) -> str | None:
    """Read the certificate authorities to trust beside the system's own."""
    for name in _BUNDLES:
        if path := environment.get(name):
            return read_authorities(name, path)
    return None


def authorities_path(environment: Mapping[str, str]) -> str | None:
    """Say which file of certificate authorities the environment names."""
    return next(filter(None, map(environment.get, _BUNDLES)), None)


def read_authorities(name: str, path: str) -> str:
    """Read the PEM text at *path*, which *name* names; raises `LocalError`, `UsageError`."""
    try:
        text = Path(path).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise LocalError(f"{name} names {path}: {error.strerror}") from error
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise UsageError(f"{name} names {path}, which holds no PEM certificate")
    return text

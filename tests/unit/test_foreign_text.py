"""What services and libraries say is shown without what may be a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from pivot.foreign_text import tell


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no such vault\n  in here", "no such vault in here"),
        (
            "cannot reach http://ana:pass@10.0.0.7:9000/b?X-Amz-Signature=1",
            "cannot reach http://10.0.0.7:9000",
        ),
        (
            '"https://minio01.internal.example.org/bucket-2024"',
            '"https://minio01.internal.example.org"',
        ),
        ("https://ana:p/q@host/", "https://host"),
        ("got: ana:pass@host:9000", "got: host:9000"),
        ("https://ana@host:9000/p", "https://host:9000"),
        ("https://host:9000/key@v1", "https://host:9000"),
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "key … is unknown"),
        ("token=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY, sorry", "…, sorry"),
        ("arn:aws:iam::111122223333:role/main", "arn:aws:iam::111122223333:role/main"),
        (
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        ),
        (
            "Received non 200 response 403 from container metadata: <html>hunter2",
            "Received non 200 response 403 from container metadata",
        ),
    ],
)
def test_a_text_stays_as_far_as_it_is_harmless(text: str, told: str) -> None:
    assert tell(text) == told


def test_a_file_is_named_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "credentials-0123456789").touch()

    assert (
        tell(f"bad file {tmp_path}/credentials-0123456789.")
        == f"bad file {tmp_path}/credentials-0123456789."
    )


def test_a_long_text_is_cut() -> None:
    assert tell("why " * 1000) == "why " * 49 + "why…"

"""URLs of remotes: what they mean, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import UsageError
from pivot.remote_url import FolderUrl, S3Url, is_exposed, parse_remote_url

NAMES = st.text(st.characters(exclude_characters="/", codec="utf-8"), min_size=1).filter(
    lambda name: name not in {".", ".."}
)
BUCKETS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{2,30}", fullmatch=True)


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://b", "b", ""),
        ("s3://b/", "b", ""),
        ("s3://b/p", "b", "p"),
        ("s3://b//p/q//", "b", "p/q"),
        ("s3://b/café #1?x=%20", "b", "café #1?x=%20"),
    ],
)
def test_an_s3_url_is_a_bucket_and_a_literal_prefix(url: str, bucket: str, prefix: str) -> None:
    assert parse_remote_url(url) == S3Url(bucket, prefix)


@given(BUCKETS, st.lists(NAMES, max_size=4))
def test_every_prefix_without_empty_and_dotted_names_is_taken_as_it_stands(
    bucket: str, names: list[str]
) -> None:
    prefix = "/".join(names)

    assert parse_remote_url(f"s3://{bucket}/{prefix}") == S3Url(bucket, prefix)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///mnt/nas", "/mnt/nas"),
        ("file:/mnt/nas", "/mnt/nas"),
        ("file://localhost/mnt/nas/", "/mnt/nas"),
        ("file:///a%20b/caf%C3%A9", "/a b/café"),
    ],
)
def test_a_file_url_is_a_folder(url: str, path: str) -> None:
    assert parse_remote_url(url) == FolderUrl(Path(path))


def test_the_url_of_a_folder_reads_back() -> None:
    folder = Path("/a b/100%/#1?é")

    assert parse_remote_url(folder.as_uri()) == FolderUrl(folder)


@pytest.mark.parametrize(
    "url",
    [
        *("", "b/p", "s3:", "s3://", "s3:///p", "S3://b", "gs://b", "https://b.s3.amazonaws.com/p"),
        *("file:", "file:relative", "file://host/p", "/mnt/nas", "files:///x"),
    ],
)
def test_what_is_no_url_of_a_remote_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(UsageError, match="must be a valid S3 URL") as caught:
        parse_remote_url(url)

    assert "file:///folder" in caught.value.hint


@pytest.mark.parametrize("bucket", ["-b", "b c", "b\n", "b?x=1", "b%20"])
def test_what_cannot_be_a_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(UsageError, match="is no name of a bucket"):
        parse_remote_url(f"s3://{bucket}/p")


@pytest.mark.parametrize("keys", ["KEY:secret", "", "a@b"])
def test_keys_in_a_url_are_refused_and_not_repeated(keys: str) -> None:
    with pytest.raises(UsageError, match="has keys before the bucket 'b'") as caught:
        parse_remote_url(f"s3://{keys}@b/p")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["s3://b/p//q", "s3://b/./p", "s3://b/p/../q", "s3://b/.."])
def test_a_prefix_that_services_read_differently_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="prefix may not have"):
        parse_remote_url(url)


@pytest.mark.parametrize(
    ("endpoint", "exposed"),
    [
        ("http://minio.lan:9000", True),
        ("http://10.0.0.7:9000", True),
        ("http://127.0.0.1.example.org", True),
        ("https://minio.lan:9000", False),
        ("http://localhost:9000", False),
        ("http://s3.localhost", False),
        ("http://127.0.0.2:9000", False),
        ("http://[::1]:9000", False),
    ],
)
def test_what_leaves_the_machine_without_tls_is_exposed(endpoint: str, exposed: bool) -> None:
    assert is_exposed(endpoint) is exposed

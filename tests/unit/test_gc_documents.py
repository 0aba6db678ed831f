"""Receipts and claims, as they stand beside the objects."""

from __future__ import annotations

import re

import pytest

from pivot.errors import InvalidDocument
from pivot.gc.documents import (
    Entry,
    Owner,
    new_receipt,
    parse_claim,
    parse_receipt,
    render_claim,
    render_receipt,
)
from pivot.gc.place import (
    is_receipt,
    name_on,
    parse_receipt_name,
    parse_trash_name,
    receipt_name,
)
from pivot.objects import Digest

A = Digest("ab12345678901234")
ODD = "data/ä\n'b\udcff"


def test_a_receipt_is_read_as_it_was_written() -> None:
    receipt = new_receipt(0, "prøject", [Entry(A, 7, (ODD, "x")), Entry(Digest("0" * 16), 0)])

    assert parse_receipt(render_receipt(receipt), "here") == receipt
    assert receipt.began == "1970-01-01T00:00:00Z"
    assert re.fullmatch(r"19700101T000000Z-[0-9a-f]{8}", receipt.name)
    assert is_receipt(receipt.name)


def test_two_runs_in_one_second_have_two_receipts() -> None:
    assert new_receipt(0, "", []).name != new_receipt(0, "", []).name


def test_a_claim_is_read_as_it_was_written() -> None:
    owners = (Owner(frozenset({"1" * 40, "2" * 40}), "sub/ä", "ä"),)

    assert parse_claim(render_claim(owners), "here") == owners


@pytest.mark.parametrize("parse", [parse_receipt, parse_claim])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"version": 2}',
        b'{"version": 1, "projects": 3, "objects": 3}',
        b'{"version": 1, "objects": [{"digest": "../x"}]}',
    ],
)
def test_what_is_no_such_file_is_said_to_be_none(parse: object, data: bytes) -> None:
    assert callable(parse)
    with pytest.raises(InvalidDocument, match="s3://b/x: "):
        parse(data, "s3://b/x")


@pytest.mark.parametrize(
    ("ours", "others", "same"),
    [
        ((("1", "2"), ""), (("2", "3"), ""), True),
        ((("1",), ""), (("2",), ""), False),
        ((("1",), "sub"), (("1",), ""), False),
        (((), ""), ((), ""), False),
    ],
)
def test_a_project_is_known_by_its_first_commits_and_its_place(
    ours: tuple[tuple[str, ...], str], others: tuple[tuple[str, ...], str], same: bool
) -> None:
    one, other = (Owner(frozenset(roots), inside, "x") for roots, inside in (ours, others))

    assert one.is_same(other) is same


def test_names_in_the_trash_are_read_back() -> None:
    receipt = "20260302T101500Z-1a2b3c4d"

    assert parse_trash_name(name_on(receipt, A)) == (receipt, A)
    assert parse_receipt_name(receipt_name(receipt)) == receipt
    for name in (name_on("", A), name_on("x", A), f"trash/{receipt}/x", receipt_name("../x"), ""):
        assert parse_trash_name(name) is None
        assert parse_receipt_name(name) is None

"""`${key}` as DVC fills it in."""

from __future__ import annotations

import pytest

from pivot.dvc.templates import Templates, plain
from pivot.values import Typed

SCOPE: dict[str, Typed] = {
    "lr": 0.001,
    "on": True,
    "none": None,
    "names": ["a", "b c"],
    "train": {
        "depth": 3,
        "fast": True,
        "slow": False,
        "tags": ["x", "y z"],
        "opt": {"name": "a b"},
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain $HOME", "plain $HOME"),
        ("lr=${lr}", "lr=0.001"),
        ("${lr}", 0.001),
        ("${ lr }!", "0.001!"),
        ("${on} ${none}", "true None"),
        ("${names[1]}", "b c"),
        ("${train.opt.name}-${train[depth]}", "a b-3"),
        (r"\${lr} ${lr}", "${lr} 0.001"),
        ("${names}", ["a", "b c"]),
    ],
)
def test_references_become_values(text: str, expected: Typed) -> None:
    assert Templates(SCOPE).fill(text) == expected


def test_keys_and_lists_are_filled_too() -> None:
    seen = Templates(SCOPE).fill([{"${names[0]}.txt": {"cache": "${on}"}}])

    assert seen == [{"a.txt": {"cache": True}}]


def test_a_mapping_in_a_command_becomes_options() -> None:
    expected = "--depth 3 --fast --tags x 'y z' --opt.name 'a b'"

    assert Templates(SCOPE).fill("run ${train}", command=True) == f"run {expected}"
    assert Templates(SCOPE).fill("${train}", command=True) == expected


def test_options_follow_the_settings() -> None:
    templates = Templates(SCOPE, "boolean_optional", "append")

    seen = templates.fill("${train}", command=True)

    assert seen == "--depth 3 --fast --no-slow --tags x --tags 'y z' --opt.name 'a b'"


@pytest.mark.parametrize("text", ["a ${names}", "a ${train}", "${nosuch}", "${}", "${names[7]}"])
def test_what_cannot_be_filled_in_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\$\{"):
        Templates(SCOPE).fill(text)


@pytest.mark.parametrize(
    ("value", "expected"), [(True, "true"), (False, "false"), (1e-3, "0.001"), (None, "None")]
)
def test_values_are_said_as_dvc_says_them(value: Typed, expected: str) -> None:
    assert plain(value) == expected

"""The order in which stages come up: never before what they need, each once, from any threads."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot.repro.schedule import Schedule


def schedule(needs: Mapping[str, str], *, keep_going: bool = False) -> Schedule:
    """Schedule stages that need others, written as `{"b": "a"}`."""
    return Schedule(needs, needs, keep_going=keep_going)


def test_stages_come_up_in_their_order_as_those_before_them_end() -> None:
    plan = schedule({"a": "", "b": "a", "c": ""})
    first, second = next(plan), next(plan)
    plan.finish("a", success=True)
    third = next(plan)
    for name in (second, third):
        plan.finish(name, success=True)

    assert [first, second, third, *plan] == ["a", "c", "b"]


def test_what_is_not_chosen_is_not_waited_for() -> None:
    plan = Schedule(["b"], {"a": (), "b": ("a", "elsewhere")}, keep_going=False)

    assert next(plan) == "b"


def test_nothing_comes_up_after_a_failure() -> None:
    plan = schedule({"a": "", "b": "", "c": "a"})
    next(plan)
    plan.finish("a", success=False)

    assert list(plan) == []


def test_with_keep_going_what_needs_a_failure_does_not_come_up() -> None:
    plan = schedule({"a": "", "b": "a", "c": "b", "d": ""}, keep_going=True)
    seen = []
    for name in plan:
        seen.append(name)
        plan.finish(name, success=name != "a")

    assert seen == ["a", "d"]


def test_what_is_stopped_ends_also_for_those_who_wait() -> None:
    plan = schedule({"a": "", "b": "a"})
    next(plan)
    seen: list[str] = []
    waiting = threading.Thread(target=lambda: seen.extend(plan))
    waiting.start()
    plan.stop()
    waiting.join(timeout=60)

    assert not waiting.is_alive()
    assert seen == []


def test_one_who_waits_gets_what_another_makes_possible() -> None:
    plan = schedule({"a": "", "b": "a"})
    next(plan)
    seen: list[str] = []
    waiting = threading.Thread(target=lambda: seen.append(next(plan)))
    waiting.start()
    plan.finish("a", success=True)
    waiting.join(timeout=60)

    assert seen == ["b"]


@pytest.mark.parametrize("keep_going", [False, True])
def test_stages_that_need_each_other_never_come_up(keep_going: bool) -> None:
    assert list(schedule({"a": "b", "b": "a"}, keep_going=keep_going)) == []


def test_what_does_not_run_may_end() -> None:
    plan = schedule({"a": ""})
    plan.finish("b", success=True)

    assert next(plan) == "a"


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    count = draw(st.integers(0, 12))
    names = [f"s{number}" for number in range(count)]
    needs = {
        name: tuple(draw(st.frozensets(st.sampled_from(names[:number]), max_size=3)))
        if number
        else ()
        for number, name in enumerate(names)
    }
    order = draw(st.permutations(names))
    return {name: needs[name] for name in order}


@given(graphs(), st.randoms(), st.booleans(), st.integers(1, 6))
@settings(deadline=None, max_examples=150)
def test_many_threads_run_any_graph(
    needs: dict[str, tuple[str, ...]], chance: random.Random, keep_going: bool, jobs: int
) -> None:
    broken = {name for name in needs if chance.random() < 0.2}
    plan = Schedule(needs, needs, keep_going=keep_going)
    lock = threading.Lock()
    begun: list[str] = []
    done: set[str] = set()
    begun_when_failed: list[int] = []
    early: list[str] = []

    def work() -> None:
        for name in plan:
            with lock:
                early.extend(name for other in needs[name] if other not in done)
                begun.append(name)
                if name not in broken:
                    done.add(name)
            plan.finish(name, success=name not in broken)
            if name in broken:
                with lock:
                    begun_when_failed.append(len(begun))

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert not any(thread.is_alive() for thread in threads)
    assert early == []
    assert len(begun) == len(set(begun))
    blocked = _below(needs, broken)
    assert set(begun).isdisjoint(blocked)
    if keep_going or not broken - blocked:
        assert set(begun) == needs.keys() - blocked
    else:  # each other thread may have been given one just before
        assert len(begun) - begun_when_failed[0] < jobs


def _below(needs: Mapping[str, tuple[str, ...]], broken: set[str]) -> set[str]:
    """List all that need something broken, directly or not."""
    found: set[str] = set()
    while more := {
        name for name in needs.keys() - found if any(o in broken | found for o in needs[name])
    }:
        found |= more
    return found

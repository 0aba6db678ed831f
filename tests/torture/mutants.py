"""Small faults put into the storage core at random: do the tests of each module notice?

A mutant is a module with one change, as Jia and Harman describe them ("An analysis and survey of
the development of mutation testing", 2011): a comparison turned around, a condition negated, a
constant moved, a call or a `raise` left out, an answer forgotten. What only words a message, a type
or a docstring is not changed.
"""

from __future__ import annotations

import ast
import os
import queue
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.conftest import ROOT
from tests.torture.programme import Programme, Run

_SCORE = 80  # percent
_WORKERS = 2
_PATIENCE = 180.0  # seconds: what never ends was noticed
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "build", "*.egg-info")
_LIFE = "tests/torture/test_programmes.py::test_no_promise_is_broken[R13]"
_REMOTE = ("tests/contract/test_remote.py", "tests/contract/test_remote_refusals.py", _LIFE)
CORE: dict[str, tuple[str, ...]] = {
    "arrivals": ("tests/contract/test_cache.py", _LIFE),
    "cache": ("tests/contract/test_cache.py", "tests/contract/test_partials.py", _LIFE),
    "checkout": (_LIFE, "tests/e2e/test_damage.py", "tests/e2e/test_ledger.py"),
    "copying": ("tests/unit/test_copying.py", "tests/contract/test_cache.py"),
    "exchange": ("tests/unit/test_exchange.py", "tests/unit/test_placement.py"),
    "fetch": (_LIFE, "tests/e2e/test_damage.py", "tests/e2e/test_resume.py"),
    "folder": _REMOTE,
    "ledger": ("tests/unit/test_ledger.py",),
    "listing": ("tests/unit/test_listing.py",),
    "manifests": ("tests/unit/test_manifests.py",),
    "objects": ("tests/unit/test_objects.py", "tests/contract/test_cache.py"),
    "partials": ("tests/contract/test_partials.py",),
    "paths": ("tests/unit/test_paths.py",),
    "placement": ("tests/unit/test_placement.py",),
    "plan": ("tests/unit/test_plan.py", "tests/unit/test_room.py"),
    "push": (_LIFE, "tests/e2e/test_damage.py", "tests/e2e/test_ledger.py"),
    "s3": (*_REMOTE, "tests/contract/test_requests.py"),
    "s3_errors": ("tests/unit/test_s3_errors.py",),
    "s3_stat": (*_REMOTE, "tests/contract/test_requests.py"),
    "scratch": ("tests/unit/test_scratch.py", "tests/contract/test_cache.py"),
    "transfer": ("tests/unit/test_transfer.py",),
    "tree": ("tests/unit/test_tree.py", "tests/unit/test_placement.py"),
    "workspace": ("tests/unit/test_workspace.py", _LIFE),
}
"""The modules, and what tests each of them, the quickest first."""

_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
Node = TypeVar("Node", bound=ast.AST)


@dataclass(frozen=True)
class Mutant:
    """A module with one change, which is *what*."""

    module: str
    what: str
    text: str


class _Mutator(ast.NodeTransformer):
    """Makes the change of this number; counts them all."""

    def __init__(self, number: int = -1) -> None:
        self.count = 0
        self.what = ""
        self._number = number

    def _here(self, node: ast.stmt | ast.expr, what: str) -> bool:
        self.count += 1
        if self.count - 1 != self._number:
            return False
        self.what = f"line {node.lineno}: {what}"
        return True

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """Leave figures alone that are chosen by measuring."""
        kept = (ast.Assign, ast.AnnAssign)
        node.body = [each if isinstance(each, kept) else self.visit(each) for each in node.body]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = [self.visit(child) for child in node.body]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [self.visit(child) for child in node.body]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.value = self.visit(node.value) if node.value is not None else None
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node
        if self._here(node, "a condition negated"):
            node.test = ast.UnaryOp(ast.Not(), node.test)
            return node
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Pass() if self._here(node, "no error raised") else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant):
            return node
        if self._here(node, f"not done: {ast.unparse(node)[:60]}"):
            return ast.Pass()
        return self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if node.value is None or (isinstance(node.value, ast.Constant) and not node.value.value):
            return node
        if self._here(node, "nothing returned"):
            return ast.Return(ast.Constant(None))
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        turned = _TURNED.get(type(node.ops[0]))
        if turned is not None and self._here(node, f"turned around: {ast.unparse(node)[:60]}"):
            node.ops[0] = turned()
            return node
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if self._here(node, f"and or or: {ast.unparse(node)[:60]}"):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            return node
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        other = {ast.Add: ast.Sub, ast.Sub: ast.Add}.get(type(node.op))
        if other is not None and self._here(node, f"plus or minus: {ast.unparse(node)[:60]}"):
            node.op = other()
            return node
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bool):
            if self._here(node, f"not {node.value}"):
                return ast.Constant(not node.value)
        elif isinstance(node.value, int) and self._here(node, f"{node.value} plus one"):
            return ast.Constant(node.value + 1)
        return node


def mutants(module: str) -> int:
    """Count what can be changed in a module."""
    counter = _Mutator()
    counter.visit(ast.parse(_source(module)))
    return counter.count


def mutate(module: str, number: int) -> Mutant:
    """Make a change."""
    mutator = _Mutator(number)
    tree = ast.fix_missing_locations(mutator.visit(ast.parse(_source(module))))
    return Mutant(module, mutator.what, ast.unparse(tree))


def _source(module: str) -> str:
    return (ROOT / "pivot" / f"{module}.py").read_text()


def run_mutants(run: Run) -> None:
    """Let the tests of each module run on a sample of its mutants."""
    modules = list(CORE) if run.full else ["listing"]
    chosen = []
    for module in modules:
        count = mutants(module)
        numbers = run.random.sample(range(count), min(count, run.figure(8, 14)))
        chosen += [mutate(module, number) for number in sorted(numbers)]
    places: queue.Queue[Path] = queue.Queue()
    for _ in range(_WORKERS):
        places.put(_copy(run))
    with ThreadPoolExecutor(_WORKERS) as pool:
        noticed = list(pool.map(lambda mutant: _is_noticed(places, mutant), chosen))
    for mutant, seen in zip(chosen, noticed, strict=True):
        run.point()
        if not seen:
            print(f"nobody notices in {mutant.module}, {mutant.what}", flush=True)
    score = 100 * sum(noticed) // len(noticed)
    if score < _SCORE:
        run.violations.append(f"only {score} % of the mutants are noticed")
    run.note(f"{sum(noticed)} of {len(noticed)} are noticed, {score} %")


def _copy(run: Run) -> Path:
    place = run.place("mutant")
    place.mkdir()
    for name in ("pivot", "tests", "examples", "docs"):
        shutil.copytree(ROOT / name, place / name, ignore=_LEFT_OUT, symlinks=True)
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, place / name)
    return place


def _is_noticed(places: queue.Queue[Path], mutant: Mutant) -> bool:
    place = places.get()
    file = place / "pivot" / f"{mutant.module}.py"
    try:
        file.write_text(mutant.text)
        return not all(_passes(place, test) for test in CORE[mutant.module])
    finally:
        file.write_text(_source(mutant.module))
        places.put(place)


def _passes(place: Path, test: str) -> bool:
    words = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", test]
    if "contract/test_re" in test:
        words += ["-k", "seaweedfs or folder"]
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-m", "pytest", *words],
            cwd=place,
            env=os.environ | {"PYTHONPATH": str(place)},
            check=False,
            capture_output=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


MUTANTS = Programme("R20b", "small faults in the storage core are noticed", run_mutants)

"""The shape of the package, read from its source: layers, doors, late imports, sizes."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pivot

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pivot.__file__).parent

RUNGS = (
    "frozen",
    "errors owner durable guard allocator",
    "objects remote_url budget pace manifests quantities deadline room foreign_text",
    "paths project documents",
    "values",
    "stage parameters schema",
    "fingerprint",
    "keys lockfile lock_writer ledger git gitignore",
    "tracked refs snapshot",
    "pipeline.interpolation",
    "pipeline.stage_entry",
    "pipeline.file",
    "pipeline",
    "pipeline.targets",
    "config config_file authorities",
    "remote_choice",
    "globs",
    "targets compare",
    "plan",
    "listing",
    "copying exchange remembered crew ahead",
    "transfer remote scratch partials proofs tree aws s3_errors references iam",
    "aws_service",
    "chain arrivals",
    "cache",
    "history observer pipeline.workspace",
    "revision",
    "readings",
    "workspace placement s3_stores",
    "s3_calls",
    "s3_stat s3_download",
    "folder s3 s3_trials",
    "remotes",
    "whereabouts",
    "results stage_states",
    "session journal export",
    "sums",
    "push fetch past",
    "deep",
    "verify",
    "checkout",
    "changes",
    "report",
    "transfer_states stage_needs graph",
    "doctor doctor.checks",
    "doctor.answers doctor.grants doctor.local doctor.folder doctor.report",
    "doctor.bucket",
    "doctor.examine",
    "tables graph_text mermaid dot",
    "compare_report",
    "dvc dvc.notes",
    "dvc.recorded dvc.settings dvc.templates dvc.variables dvc.comments",
    "dvc.declared dvc.store",
    "dvc.translated",
    "dvc.converted dvc.look",
    "dvc.plan",
    "dvc.survey",
    "dvc.conversion",
    "dvc.told",
    "progress",
    "repro repro.overlay repro.exclusive repro.git_advice repro.processes",
    "repro.schedule repro.strays",
    "repro.housekeeping",
    "repro.decide",
    "repro.before repro.keeping repro.supplies",
    "repro.saving",
    "repro.inputs repro.parameter_values",
    "repro.planner",
    "repro.results",
    "repro.watcher",
    "repro.runner",
    "repro.run",
    "repro.start",
    "repro.log repro.report overview lock_states pipeline_states",
    "standing",
    "status",
    "status_report needed",
    "gc gc.place gc.documents gc.past",
    "gc.plan gc.repository gc.folder gc.s3",
    "gc.places gc.results",
    "gc.claims gc.protected",
    "gc.local gc.report",
    "gc.run",
    "inventory inventory.values",
    "inventory.tally",
    "inventory.history",
    "inventory.look inventory.markup",
    "inventory.charts",
    "inventory.page inventory.told",
    "track api",
    "ci ci.table ci.event ci.bootstrap",
    "ci.github ci.gitlab",
    "ci.host ci.oidc ci.comment",
    "ci.inputs ci.told ci.markdown",
    "ci.report ci.notes ci.summary ci.policy ci.outcome",
    "ci.outputs ci.use_cases ci.job",
    "ci.publish",
    "ci.run",
    "ci.__main__",
    "cli.candidates cli.completion cli.manual",
    "cli.options",
    "cli.scope",
    "cli.compare cli.config cli.dag cli.init cli.import_dvc cli.look",
    "cli.report",
    "cli.doctor cli.gc cli.remote cli.repro cli.track cli.transfer",
    "cli.checkout cli.status",
    "cli",
    "start",
    "__main__",
)
"""Lower layers first; a module imports only from the lines above its own."""

DOORS = {
    "xxhash": {"objects"},
    "yaml": {"documents", "values"},
    "ruamel": {"config_file", "dvc.comments"},
    "obstore": {"gc.s3", "s3", "s3_calls", "s3_download", "s3_stat", "s3_stores", "s3_trials"},
    "boto3": {"aws"},
    "botocore": {"aws", "aws_service"},
    "subprocess": {"ci.bootstrap", "git", "repro.processes"},
    "rich": {"progress"},
    "click": {
        "cli",
        "cli.checkout",
        "cli.options",
        "cli.compare",
        "cli.completion",
        "cli.gc",
        "cli.config",
        "cli.dag",
        "cli.doctor",
        "cli.import_dvc",
        "cli.init",
        "cli.look",
        "cli.manual",
        "cli.remote",
        "cli.report",
        "cli.repro",
        "cli.scope",
        "cli.status",
        "cli.track",
        "cli.transfer",
    },
    "requests": {"ci.comment", "ci.oidc"},
    "jsonschema": {"schema"},
}
"""Who may import a foreign library, or start programs."""

LATE = {
    "aws": {
        "boto3",
        "botocore",
        "botocore.config",
        "botocore.exceptions",
        "botocore.parsers",
        "botocore.session",
    },
    "aws_service": {
        "botocore",
        "botocore.config",
        "botocore.exceptions",
        "botocore.parsers",
        "botocore.session",
    },
    "ci.__main__": {
        "pivot",
        "pivot.ci.host",
        "pivot.ci.outputs",
        "pivot.ci.run",
        "pivot.errors",
    },
    "ci.comment": {"requests"},
    "ci.run": {"pivot.ci.oidc"},
    "ci.use_cases": {"pivot.doctor.examine", "pivot.doctor.report"},
    "ci.oidc": {"requests"},
    "cli.compare": {"pivot.cli.candidates"},
    "cli.gc": {"pivot.cli.candidates"},
    "cli.config": {"pivot.config_file", "pathlib"},
    "cli.look": {"pivot.cli.completion"},
    "cli.options": {
        "click.shell_completion",
        "pivot.cli",
        "pivot.progress",
        "pivot.session",
    },
    "cli.remote": {"pivot.config_file"},
    "config_file": {
        "ruamel.yaml",
        "ruamel.yaml.comments",
        "ruamel.yaml.error",
        "ruamel.yaml.scalarstring",
    },
    "changes": {"pivot.git"},
    "documents": {"yaml"},
    "allocator": {"ctypes"},
    "durable": {"ctypes"},
    "dvc.comments": {
        "ruamel.yaml.comments",
        "ruamel.yaml.error",
        "ruamel.yaml.scalarstring",
    },
    "doctor.examine": {"pivot.doctor.bucket", "pivot.s3_stores"},
    "gc.places": {"pivot.aws", "pivot.gc.s3"},
    "git": {"difflib"},
    "keys": {"difflib"},
    "repro.inputs": {"difflib"},
    "progress": {"rich.console", "rich.progress"},
    "references": {"pivot.pipeline", "pivot.pipeline.file"},
    "schema": {"jsonschema"},
    "values": {"yaml", "yaml.nodes"},
    "start": {"pivot.cli"},
    "remotes": {"pivot.aws", "pivot.folder", "pivot.s3", "pivot.s3_stores"},
}
"""What is imported inside functions, because it is heavy or seldom needed."""


@dataclass(frozen=True)
class Import:
    """One import statement: of a whole module, or of *name* from it."""

    module: str
    name: str
    late: bool
    line: int

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]


def sources() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__" or len(parts) == 1)] = path
    return found


SOURCES = sources()
MODULES = sorted(SOURCES.keys() - {"__init__"})
RUNG_OF = {name: number for number, rung in enumerate(RUNGS) for name in rung.split()}


def tree_of(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def imports_of(module: str) -> Iterator[Import]:
    def visit(node: ast.AST, *, late: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.Import(names=names):
                    for name in names:
                        yield Import(name.name, "", late, child.lineno)
                case ast.ImportFrom(module=origin, names=names, level=level):
                    assert not level, f"{module}:{child.lineno} imports relatively"
                    for name in names:
                        yield Import(origin or "", name.name, late, child.lineno)
                case ast.FunctionDef():
                    yield from visit(child, late=True)
                case _:
                    yield from visit(child, late=late)

    yield from visit(tree_of(module), late=False)


def own_module(found: Import) -> str | None:
    """Name the module of the package that an import reaches, without `pivot.`."""
    if found.package != "pivot":
        return None
    inside = found.module.removeprefix("pivot").removeprefix(".")
    longer = f"{inside}.{found.name}".removeprefix(".")
    return longer if longer in SOURCES else inside or "__init__"


def test_the_test_knows_every_module() -> None:
    assert sorted(RUNG_OF) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_lower_layers_only(module: str) -> None:
    wrong = []
    for found in imports_of(module):
        other = own_module(found)
        if other in {None, "__init__"}:
            continue
        if RUNG_OF[other] >= RUNG_OF[module]:
            wrong.append(f"{module}:{found.line} imports {other}")

    assert not wrong


def test_the_package_itself_imports_nothing() -> None:
    assert not [found for found in imports_of("__init__") if found.package != "__future__"]


@pytest.mark.parametrize("library", DOORS)
def test_a_foreign_library_has_one_door(library: str) -> None:
    users = {module for module in MODULES if any(f.package == library for f in imports_of(module))}

    assert users == DOORS[library]


def test_every_foreign_library_has_a_door() -> None:
    import sys

    used = {found.package for module in MODULES for found in imports_of(module)}

    assert used - sys.stdlib_module_names - {"pivot"} <= DOORS.keys()


def test_no_module_starts_programs_through_os() -> None:
    starters = {"system", "popen", "fork", "execv", "execvp", "posix_spawn", "spawnv", "startfile"}
    calls = [
        f"{module}:{node.lineno}"
        for module in MODULES
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in starters
    ]

    assert not calls


def test_late_imports_stand_only_where_listed() -> None:
    late = {
        module: {found.module for found in imports_of(module) if found.late} for module in MODULES
    }

    assert {module: names for module, names in late.items() if names} == LATE


@pytest.mark.parametrize("module", [*MODULES, "__init__"])
def test_a_module_is_short(module: str) -> None:
    assert len(SOURCES[module].read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_a_telling_name(module: str) -> None:
    assert module.rpartition(".")[2] not in {"utils", "util", "helpers", "common", "misc"}


@pytest.mark.parametrize("module", [*MODULES, "__init__"])
def test_what_is_public_says_what_it_is(module: str) -> None:
    tree = tree_of(module)
    silent = [] if ast.get_docstring(tree) else ["the module"]
    holders: list[ast.Module | ast.ClassDef] = [tree]
    holders += [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for holder in holders:
        if isinstance(holder, ast.ClassDef) and holder.name.startswith("_"):
            continue
        silent += [
            node.name
            for node in holder.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]

    assert not silent


@pytest.mark.parametrize("module", MODULES)
def test_the_map_names_every_module(module: str) -> None:
    name = module.partition(".")[0]
    drawn = ast.get_docstring(tree_of("__init__")) or ""

    assert name == "__main__" or f"`{name}`" in drawn

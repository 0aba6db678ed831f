"""One case for each class of exit code: a clone, and the inputs and variables that lead there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import OUTPUTS, make_project, without_cache
from tests.projects import digest
from tests.servers import S3Server, fault_proxy
from tests.servers.process import LOOPBACK, free_ports


@dataclass(frozen=True)
class Case:
    """A pull in *clone* that ends with *code*: *inputs* as the action has them."""

    clone: Path
    code: int
    variables: dict[str, str]
    inputs: dict[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> list[str]:
        """The same on the command line."""
        given = {**self.inputs}
        targets = given.pop("stages", "").split()
        options = [f"--{name.replace('_', '-')}={text}" for name, text in given.items()]
        return ["pull", *options, *targets]


@dataclass(frozen=True)
class Maker:
    """Makes cases: a project that is pushed to *bucket*, and a clone of it."""

    root: Path
    server: S3Server
    bucket: str
    pivot: Command

    def _case(self, code: int, *, push: bool = True, **inputs: str) -> Case:
        project = make_project(self.root / "project", self.bucket)
        if push:
            done = self.pivot("push", cwd=project)
            assert done.code == 0, done
        clone = without_cache(project, self.root / "clone")
        return Case(clone, code, self.server.environment(), inputs)

    @contextmanager
    def done(self) -> Iterator[Case]:
        yield self._case(0)

    @contextmanager
    def failed(self) -> Iterator[Case]:
        case = self._case(1)
        (case.clone / "data").mkdir()
        (case.clone / "data/a.bin").write_text("my own work")
        yield case

    @contextmanager
    def usage(self) -> Iterator[Case]:
        yield self._case(2, stages="nosuch")

    @contextmanager
    def missing(self) -> Iterator[Case]:
        yield self._case(3, push=False)

    @contextmanager
    def denied(self) -> Iterator[Case]:
        case = self._case(4)
        case.variables["AWS_SECRET_ACCESS_KEY"] = "wrong"
        yield case

    @contextmanager
    def integrity(self) -> Iterator[Case]:
        case = self._case(5)
        name = digest(OUTPUTS["data/a.bin"])  # type: ignore[arg-type]
        body = b"other" * 2000
        buckets.put(self.server, self.bucket, f"p/files/{name[:2]}/{name[2:]}", body)
        yield case

    @contextmanager
    def network(self) -> Iterator[Case]:
        case = self._case(6)
        case.variables["AWS_ENDPOINT_URL"] = f"http://{LOOPBACK}:{free_ports(1)[0]}"
        yield case

    @contextmanager
    def local(self) -> Iterator[Case]:
        yield self._case(7, max_size="1kB")

    @contextmanager
    def invalid(self) -> Iterator[Case]:
        case = self._case(8)
        (case.clone / ".pivot/stages/make/a.lock").write_text("outs: [\n")
        yield case

    @contextmanager
    def timeout(self) -> Iterator[Case]:
        with fault_proxy(self.server) as proxy:
            case = self._case(124, timeout="2s")
            proxy.stall = True
            case.variables.update(proxy.server.environment())
            yield case


CLASSES: dict[str, Callable[[Maker], object]] = {
    name: getattr(Maker, name)
    for name in (
        "done",
        "failed",
        "usage",
        "missing",
        "denied",
        "integrity",
        "network",
        "local",
        "invalid",
        "timeout",
    )
}

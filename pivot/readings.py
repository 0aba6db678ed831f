"""Read what a comparison compares: parameters and metrics, at each of several places."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from pivot.compare import Side, Trouble, flatten
from pivot.documents import parse_yaml, read_document
from pivot.errors import ExitCode, IntegrityError, InvalidDocument, LocalError, PipelineError
from pivot.lockfile import parse_lock
from pivot.objects import Digest, digest_bytes, files_of, object_name
from pivot.parameters import look_up
from pivot.pipeline import load_pipeline
from pivot.project import PIPELINE
from pivot.stage import Role
from pivot.values import parse_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pivot.errors import PivotError
    from pivot.lockfile import StageLock
    from pivot.revision import Place
    from pivot.stage import Stage
    from pivot.values import Typed

    Choice: TypeAlias = Callable[[Mapping[str, str]], Iterable[str]]
    """Chooses some of the files in a mapping of metric files to their stages."""

_FORMATS = (".json", ".yaml", ".yml", ".toml")


def read_parameters(places: Sequence[Place]) -> tuple[Side, ...]:
    """Read at each of *places* what the stages of any of them declare, and every `params.yaml`."""
    views = [_View(place) for place in places]
    wanted: dict[str, set[str]] = {}
    for view in views:
        for stage in view.stages().values():
            if stage.values:
                inline = flatten(dict(stage.values), stage.name)
                view.values.setdefault(stage.document, {}).update(inline)
            for key in stage.keys:
                wanted.setdefault(key.path, set()).add(key.key)
    for document in {PIPELINE}.union(*(place.pipelines for place in places)):
        beside = posixpath.join(posixpath.dirname(document), "params.yaml")
        wanted.setdefault(beside, set()).add("")
    for view in views:
        for path, keys in sorted(wanted.items()):
            view.add(path, view.data(path), {""} if "" in keys else keys)
    return tuple(view.side() for view in views)


def read_metrics(
    places: Sequence[Place], cache: Path, *, choose: Choice | None = None
) -> tuple[Side, ...]:
    """Read at each of *places* the metrics that any of them knows, or those that *choose* names.

    One that git does not have at a revision is the object in *cache* that its lock file names.
    """
    views = [_View(place) for place in places]
    owners: dict[str, str] = {}
    for view in views:
        owners |= view.metrics()
    paths = sorted(owners if choose is None else choose(owners))
    for view in views:
        for path in paths:
            data = view.data(path)
            if data is None and view.place.commit and path not in view.unknown:
                data = view.cached(path, cache)
            view.add(path, data, {""})
    return tuple(view.side() for view in views)


def find_metrics(place: Place) -> dict[str, str]:
    """List the metric files that *place* knows, each with its stage.

    What cannot be read is left out.
    """
    return _View(place).metrics()


@dataclass
class _View:
    """A place while it is looked at: what is known of it, and what went wrong."""

    place: Place
    values: dict[str, dict[str, Typed]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    troubles: list[Trouble] = field(default_factory=list)
    objects: dict[str, Digest] = field(default_factory=dict)
    blind: bool = False
    """Whether a lock file could not be read, so that nobody knows what it names."""

    def side(self) -> Side:
        """Close the view; what a pipeline only repeats of a file is not said twice."""
        place = self.place
        above = f"{place.name}:" if place.commit else ""
        ends = tuple(f": {trouble.message}" for trouble in self.troubles)
        troubles = tuple(
            replace(trouble, message=above + trouble.message)
            for trouble in dict.fromkeys(self.troubles)
            if not trouble.message.endswith(ends)
        )
        return Side(place.name, place.commit, self.values, frozenset(self.unknown), troubles)

    def stages(self) -> Mapping[str, Stage]:
        try:
            return load_pipeline(self.place.pipelines, self.place.read).stages
        except PipelineError as error:
            self.troubles += [Trouble(error.code, text, error.hint) for text in error.problems]
            self.unknown |= set(self.place.pipelines)
        except (InvalidDocument, IntegrityError, LocalError) as error:
            self._fail(error, *self.place.pipelines)
        return {}

    def data(self, path: str) -> bytes | None:
        """Read a file; `None` for one that is not there, or is unknown."""
        try:
            return self.place.read(path)
        except (InvalidDocument, LocalError) as error:
            self._fail(error, path)
            return None

    def add(self, path: str, data: bytes | None, keys: Iterable[str]) -> None:
        """Note the values at *keys* of the file at *path*, `""` being all of them."""
        if data is None:
            return
        try:
            tree = parse_values(data, path).value
        except InvalidDocument as error:
            self._fail(error, path)
            return
        values = self.values.setdefault(path, {})
        for key in sorted(keys):
            try:
                values |= flatten(look_up(tree, key) if key else tree, key)
            except KeyError:
                continue  # the key is absent

    def metrics(self) -> dict[str, str]:
        """Find the metric files, each with its stage; note the objects of what is cached."""
        stages = self.stages()
        found = {
            output.path: stage.name
            for stage in stages.values()
            for output in stage.outputs
            if output.role is Role.METRIC
        }
        for lock in self._locks():
            outputs = (*lock.outputs, *lock.undecided)
            self.objects |= {f.path: f.digest for output in outputs for f in files_of(output)}
            if lock.stage not in stages or stages[lock.stage].foreign:
                found |= dict.fromkeys(self._loose(lock), lock.stage)
        return found

    def _loose(self, lock: StageLock) -> Iterator[str]:
        """List the metrics of a stage that no `pivot.yaml` declares: what it left to git."""
        doubtful = {file.path for output in lock.undecided for file in files_of(output)}
        kept = [file.path for output in lock.uncached for file in files_of(output)]
        for path in (*kept, *(self.place.in_git(doubtful) if doubtful else ())):
            if path.endswith(_FORMATS):
                yield path

    def _locks(self) -> Iterator[StageLock]:
        for path in self.place.locks:
            try:
                data = self.place.read(path)
                if data is not None:
                    yield parse_lock(parse_yaml(data, path), path)
            except (InvalidDocument, IntegrityError, LocalError) as error:
                self._fail(error, path)
                self.blind = True

    def cached(self, path: str, cache: Path) -> bytes | None:
        """Read the object that a lock file names for *path*, or say that it is not here."""
        digest = self.objects.get(path)
        if digest is None:
            if self.blind:
                self.unknown.add(path)
            return None
        try:
            data = read_document(cache / object_name(digest))
        except (InvalidDocument, LocalError) as error:
            if isinstance(error.__cause__, FileNotFoundError):
                text = f"{path}: object {digest} is not in the local cache"
                self.troubles.append(Trouble(ExitCode.DONE, text))
            else:
                self._fail(error, path)
            return None
        if digest_bytes(data) != digest:
            self._fail(IntegrityError(f"{path}: object {digest} in the cache is damaged"), path)
            return None
        return data

    def _fail(self, error: PivotError, *paths: str) -> None:
        """Note that *paths* could not be read."""
        self.troubles.append(Trouble(error.code, error.message, error.hint))
        self.unknown.update(paths)

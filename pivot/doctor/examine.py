"""`doctor`: ask one thing after the other, here and at the remote, and clean up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pivot.config import load_config
from pivot.crew import Jobs, for_each
from pivot.doctor.checks import (
    Check,
    Diagnosis,
    Kind,
    Probe,
    State,
    probes_here,
    probes_there,
    skipped,
)
from pivot.doctor.folder import Folder
from pivot.doctor.local import check_cache, check_configuration, check_links, check_remote
from pivot.errors import PivotError, local_error
from pivot.frozen import frozen
from pivot.project import find_project
from pivot.remote_choice import closed_by, examined
from pivot.remote_url import FolderUrl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pivot.aws import Credentials
    from pivot.config import Config, RemoteSettings
    from pivot.project import Project
    from pivot.remote_url import RemoteUrl
    from pivot.transfer import Meter

_RETRIES = 2  # of a request: who waits for a diagnosis is not to wait for long


@frozen
class Patient:
    """What is examined: what a command would use that is started in *directory*.

    Given *credentials* take the place of those that AWS's chain would find, and *config* that of
    what the files say.
    """

    directory: Path
    environment: Mapping[str, str]
    meter: Meter
    credentials: Callable[[], Credentials] | None = None
    config: Config | None = None


class _Asked(Protocol):
    def ask(self, name: str) -> Check: ...

    def clear(self) -> None: ...


def doctor(patient: Patient, *, remote: str | None = None, read_only: bool = False) -> Diagnosis:
    """Find out what works for *patient* with *remote*; what fails is in the answer, not raised.

    With *read_only* nothing is written, nor to a remote that is not to be written to. What is
    written else is taken away, also after an interrupt.
    """
    here = _Here(patient, remote)
    checks: list[Check] = []
    unwritten = "--read-only writes nothing" if read_only else ""
    _ask(probes_here(), here, checks, patient.meter, unwritten)
    url = here.url
    kind = Kind.FOLDER if isinstance(url, FolderUrl) else Kind.S3
    there = here if url is None else _open(patient, here.settings, url, here.config)
    closed = "" if url is None else closed_by(here.settings)
    if closed:
        told = f"remote_options.{here.settings.name}.{closed}: nothing is written to it"
        unwritten = unwritten or told
    _ask(probes_there(kind), there, checks, patient.meter, unwritten)
    name, where = (here.settings.name, here.settings.url) if url else (remote or "", "")
    return Diagnosis(name, where, kind, tuple(checks), read_only=read_only, closed=bool(closed))


def _ask(
    probes: tuple[Probe, ...], asked: _Asked, checks: list[Check], meter: Meter, unwritten: str
) -> None:
    def ask(probe: Probe) -> None:
        check = skipped(probe, checks, unwritten=unwritten)
        if check is None:
            with meter.asking(probe.name):
                check = _answer(probe, asked)
        checks.append(check)

    try:
        for_each(probes, ask, jobs=1)  # away from the main thread, which hears Ctrl-C
    finally:
        asked.clear()


def _answer(probe: Probe, asked: _Asked) -> Check:
    try:
        return asked.ask(probe.name)
    except PivotError as error:
        return Check.of_error(probe.name, error)
    except OSError as error:
        return Check.of_error(probe.name, local_error(error))


class _Here:
    """This machine; what it finds out is what a remote is opened with."""

    def __init__(self, patient: Patient, remote: str | None) -> None:
        self.url: RemoteUrl | None = None
        self.project: Project
        self.config: Config
        self.settings: RemoteSettings
        self._patient = patient
        self._remote = remote

    def ask(self, name: str) -> Check:
        """Ask one thing; raises what a failure means."""
        acts: dict[str, Callable[[], Check]] = {
            "project": self._find_project,
            "configuration": self._configuration,
            "cache": lambda: check_cache(self._cache, self.project),
            "links": lambda: check_links(self._cache, self.project, self.config.links),
            "remote": self._find_remote,
        }
        return acts[name]()

    def clear(self) -> None:
        """Nothing is left to take away."""

    @property
    def _cache(self) -> Path:
        return self.config.cache_dir(self.project, self._patient.environment)

    def _find_project(self) -> Check:
        self.project = find_project(self._patient.directory, self._patient.environment)
        return Check("project", State.OK, str(self.project.root))

    def _configuration(self) -> Check:
        given = self._patient.config
        self.config = given or load_config(self.project, self.project.user_config)
        return check_configuration(self.project, self.config, self._patient.environment)

    def _find_remote(self) -> Check:
        self.settings = examined(self.config, self._remote)
        check, self.url = check_remote(self.config, self.settings, asked=self._remote is not None)
        return check


def _open(patient: Patient, settings: RemoteSettings, url: RemoteUrl, config: Config) -> _Asked:
    if isinstance(url, FolderUrl):
        return Folder(url.path)
    from pivot.doctor.bucket import Bucket  # noqa: PLC0415  only the kind that is needed
    from pivot.s3_stores import Limits  # noqa: PLC0415

    limits = Limits(
        jobs=Jobs.exactly(1),
        retries=min(config.number("remote.retries"), _RETRIES),
        connect_timeout=config.number("remote.connect_timeout"),
        read_timeout=config.number("remote.read_timeout"),
    )
    return Bucket(settings, url, patient.environment, patient.credentials, limits)

"""docs/messages.md lists what the command says of each kind of trouble, as it says it here.

`WRITE_MESSAGES=1 pytest tests/e2e/test_messages.py` writes the table anew.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests import buckets
from tests.conftest import ROOT, Command
from tests.e2e.classes import CLASSES, Maker
from tests.e2e.weather import make_project, without_cache
from tests.forgery import forge
from tests.projects import digest
from tests.servers import S3Server, fault_proxy

PAGE = ROOT / "docs/messages.md"
MARKS = ("<!-- begin: messages -->\n", "<!-- end: messages -->\n")
BODY = b"weights " * 500 + b"the end."
TELLING = {
    "failed": "a file that you changed is in the way",
    "usage": "a target that there is not",
    "missing": "an object was never pushed",
    "denied": "the secret key is wrong",
    "integrity": "the remote has other bytes under the name of an object",
    "network": "nobody answers at the endpoint",
    "local": "more than `--max-size` is to be moved",
    "invalid": "a lock file is not valid YAML",
    "timeout": "`--timeout` is over",
}

Row = tuple[int, str, str, str]


class Places:
    """Makes projects in trouble, each with a bucket of its own."""

    def __init__(
        self, root: Path, server: S3Server, new_bucket: Callable[[], str], pivot: Command
    ) -> None:
        self.server, self.pivot = server, pivot
        self._root, self._new_bucket = root, new_bucket
        self._count = 0

    def pushed(self) -> tuple[Path, str]:
        """Make a clone of a pushed project, and say which bucket it is in."""
        self._count += 1
        bucket, root = self._new_bucket(), self._root / str(self._count)
        project = make_project(root / "project", bucket, {"model/best": BODY})
        done = self.pivot("push", cwd=project)
        assert done.code == 0, done
        return commit(without_cache(project, root / "clone"), self.pivot), bucket

    def object(self, clone: Path) -> Path:
        return clone / ".pivot/cache/files" / digest(BODY)[:2] / digest(BODY)[2:]

    def forged(self) -> tuple[Path, list[str]]:
        clone, bucket = self.pushed()
        name = f"p/files/{digest(BODY)[:2]}/{digest(BODY)[2:]}"
        buckets.put(self.server, bucket, name, forge(BODY, b"malware "))
        return clone, ["pull"]

    def weak(self) -> tuple[Path, list[str]]:
        clone, _ = self.pushed()
        (clone / ".pivot/digests/make/best.sha256").unlink()
        return clone, ["pull", "--integrity", "require"]

    def forged_here(self) -> tuple[Path, list[str]]:
        clone, _ = self.pushed()
        self.object(clone).parent.mkdir(parents=True)
        self.object(clone).write_bytes(forge(BODY, b"malware "))
        return clone, ["checkout"]

    def damaged_here(self) -> tuple[Path, list[str]]:
        clone, bucket = self.pushed()
        for key in buckets.keys(self.server, bucket):
            buckets.delete(self.server, bucket, key)
        self.object(clone).parent.mkdir(parents=True)
        self.object(clone).write_bytes(BODY[:-1] + b"!")
        return clone, ["push"]

    def ledger(self) -> tuple[Path, list[str]]:
        clone, _ = self.pushed()
        (clone / ".pivot/digests/make/best.sha256").write_text("<<<<<<< HEAD\n")
        return clone, ["pull"]

    def outside(self) -> tuple[Path, list[str]]:
        clone, _ = self.pushed()
        lock = clone / ".pivot/stages/make/best.lock"
        lock.write_text(lock.read_text().replace("model/best", "../best"))
        return clone, ["pull"]

    def no_bucket(self) -> tuple[Path, list[str]]:
        clone, bucket = self.pushed()
        config = clone / ".pivot/config.yaml"
        config.write_text(config.read_text().replace(bucket, f"{bucket}-other"))
        return clone, ["pull"]


MORE: dict[str, Callable[[Places], tuple[Path, list[str]]]] = {
    "the remote has a forged object: right xxh64, wrong SHA-256": Places.forged,
    "so has the local cache": Places.forged_here,
    "no ledger vouches for an object, and that is required": Places.weak,
    "the local copy of an object is damaged": Places.damaged_here,
    "a ledger has a conflict of a merge": Places.ledger,
    "a lock file names a path outside of the project": Places.outside,
    "there is no such bucket": Places.no_bucket,
}


def commit(clone: Path, pivot: Command) -> Path:
    for words in (["init", "-q"], ["add", "--all"], ["commit", "-q", "-m", "outputs"]):
        subprocess.run(["git", *words], cwd=clone, env=pivot.environment, check=True)
    return clone


def plain(text: str, places: dict[str, str]) -> str:
    """Make what was said the same on every machine."""
    for told, meant in places.items():
        text = text.replace(told, meant)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "https://s3.example.org", text)
    return re.sub(r"\d{4}-\d\d-\d\d \([0-9a-f]{7}\)", "2026-03-02 (1a2b3c4)", text)


def row(code: int, what: str, err: str) -> Row:
    lines = err.splitlines()
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    error = errors[0] if errors else lines[-1]  # an end from outside is no error
    tip = next((line.removeprefix("Tip: ") for line in lines if line.startswith("Tip: ")), "")
    return code, what, error, tip


def test_the_page_has_what_is_said(
    tmp_path: Path, server: S3Server, new_bucket: Callable[[], str], pivot: Command
) -> None:
    rows: list[Row] = []
    for name, what in TELLING.items():
        bucket = new_bucket()
        maker = Maker(tmp_path / name, server, bucket, pivot)
        with ExitStack() as stack:
            case = stack.enter_context(CLASSES[name](maker))  # type: ignore[arg-type]
            commit(case.clone, pivot)
            done = Command(pivot.home, case.variables)(*case.arguments, cwd=case.clone)
        assert done.code == case.code, done
        known = {bucket: "my-bucket", str(case.clone): "/home/ana/project"}
        rows.append(row(case.code, what, plain(done.err, known)))
    places = Places(tmp_path / "more", server, new_bucket, pivot)
    for what, make in MORE.items():
        clone, words = make(places)
        done = pivot(*words, cwd=clone)
        known = {str(clone): "/home/ana/project"}
        known |= dict.fromkeys(re.findall(r"s3://([^/]+)/p", done.err), "my-bucket")
        rows.append(row(done.code, what, plain(done.err, known)))
    with fault_proxy(server) as proxy:
        clone, bucket = places.pushed()
        proxy.slow_down(10**6)
        config = clone / ".pivot/config.yaml"
        config.write_text(config.read_text().replace("retries: 3", "retries: 1"))
        done = Command(pivot.home, proxy.server.environment())("pull", cwd=clone)
        known = {bucket: "my-bucket"}
        rows.append(
            row(done.code, "the service asks for patience for ever", plain(done.err, known))
        )

    table = "| code | when | what is said | what to do |\n|---:|---|---|---|\n" + "".join(
        f"| {' | '.join(str(cell).replace('|', '/') for cell in each)} |\n"
        for each in sorted(rows, key=lambda each: each[0])
    )
    page = PAGE.read_text()
    head, rest = page.split(MARKS[0])
    _, tail = rest.split(MARKS[1])
    if os.environ.get("WRITE_MESSAGES"):
        PAGE.write_text(head + MARKS[0] + table + MARKS[1] + tail)
    assert table == page[len(head) + len(MARKS[0]) : len(page) - len(tail) - len(MARKS[1])]

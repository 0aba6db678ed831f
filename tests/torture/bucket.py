"""A bucket that lies about what it has: no wrong byte comes in, and the command ends."""

from __future__ import annotations

import dataclasses
import gzip
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Done
from tests.e2e.weather import leftovers, without_cache
from tests.forgery import forge
from tests.projects import ProjectBuilder, digest, objects
from tests.servers.hostile import MODIFIED, Bucket, Told, error, hostile
from tests.torture.programme import Programme, Run

BODY = b"weights " * 50 + b"the end!"
FILES = {f"{n:02}.bin": b"%02d" % n * 300 for n in range(12)} | {"model": BODY}
TARGET = f"files/{digest(BODY)[:2]}/{digest(BODY)[2:]}"
_MUCH = 8 << 20
_PATIENCE = 90

Lie = Callable[[Bucket, str, str, Mapping[str, str]], Told | None]


@dataclass(frozen=True)
class Case:
    """One lie, and the exit codes that it may come to."""

    name: str
    codes: frozenset[int]
    lie: Lie
    page: int = 1000
    reads_little: bool = False


def served(told: Callable[[Bucket], Told]) -> Lie:
    """Answer the GET of one object."""

    def lie(bucket: Bucket, method: str, key: str, query: Mapping[str, str]) -> Told | None:
        del query
        return told(bucket) if method == "GET" and key == TARGET else None

    return lie


def listed(told: Callable[[Bucket, Mapping[str, str]], Told]) -> Lie:
    """Answer listings."""

    def lie(bucket: Bucket, method: str, key: str, query: Mapping[str, str]) -> Told | None:
        return told(bucket, query) if method == "GET" and not key else None

    return lie


def body(content: bytes, **headers: str) -> Lie:
    """Serve other bytes as the object."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return served(lambda _: Told(200, content, {"ETag": '"x"', "Last-Modified": MODIFIED} | more))


def huge(*, announce: int | None, repeat: int | None) -> Lie:
    """Serve a body that is much larger than it should be."""
    return served(
        lambda _: Told(
            200, b"x" * 65536, {"ETag": '"x"', "Last-Modified": MODIFIED}, announce, repeat
        )
    )


def _repeated_token(bucket: Bucket, query: Mapping[str, str]) -> Told:
    first = {k: v for k, v in query.items() if k != "continuation-token"}
    return bucket.listing(
        sorted(bucket.objects), first, IsTruncated="true", NextContinuationToken="again"
    )


def _second_page_fails(bucket: Bucket, query: Mapping[str, str]) -> Told:
    if "continuation-token" in query or "start-after" in query:
        return Told(500, error("InternalError"))
    return bucket.listing(sorted(bucket.objects), query)


def _foreign(bucket: Bucket, query: Mapping[str, str]) -> Told:
    strange = ["files/zz/short", "files/ab/../../etc", "files/AB/CDEF", "files/", "files/ä/ö", "x"]
    found = Bucket(dict(bucket.objects) | dict.fromkeys(strange, b"foreign"))
    return found.listing(sorted(found.objects), query)


def _sizes_lie(size: str) -> Lie:
    def lie(bucket: Bucket, query: Mapping[str, str]) -> Told:
        told = bucket.listing(sorted(bucket.objects), query)
        return dataclasses.replace(
            told, body=told.body.replace(b"<Size>408<", f"<Size>{size}<".encode())
        )

    return listed(lie)


def _backwards(bucket: Bucket, query: Mapping[str, str]) -> Told:
    return bucket.listing(sorted(bucket.objects, reverse=True), query)


def _twice(bucket: Bucket, query: Mapping[str, str]) -> Told:
    return bucket.listing(sorted([*bucket.objects, *bucket.objects]), query)


PAGE = b"<html><body>Please log in</body></html>"
FAILS = frozenset({1, 5, 6})
CASES = (
    Case("the truth", frozenset({0}), lambda *_: None),
    Case("other bytes of the same size", frozenset({5}), body(BODY[:-1] + b"?")),
    Case("forged bytes", frozenset({5}), body(forge(BODY, b"malware "))),
    Case("an empty object", frozenset({5}), body(b"")),
    Case("the first half", frozenset({5}), body(BODY[: len(BODY) // 2])),
    Case("more bytes", frozenset({5}), body(BODY + b"more")),
    Case("300 MB", frozenset({5}), huge(announce=300 << 20, repeat=4800), reads_little=True),
    Case(
        "a body without end", frozenset({5, 6}), huge(announce=None, repeat=None), reads_little=True
    ),
    Case("less than is announced", frozenset({5, 6}), huge(announce=len(BODY), repeat=0)),
    Case("a compressed body", frozenset({5}), body(gzip.compress(BODY), Content_Encoding="gzip")),
    Case("a web page for an object", frozenset({5}), body(PAGE, Content_Type="text/html")),
    Case("an error inside a success", frozenset({5}), body(error("InternalError"))),
    Case(
        "gone since it was listed", frozenset({3}), served(lambda _: Told(404, error("NoSuchKey")))
    ),
    Case("archived", frozenset({1, 4}), served(lambda _: Told(403, error("InvalidObjectState")))),
    Case("forbidden", frozenset({4}), served(lambda _: Told(403, error("AccessDenied")))),
    Case(
        "sent elsewhere",
        FAILS,
        served(lambda _: Told(307, b"", {"Location": "http://127.0.0.1:9/elsewhere"})),
    ),
    Case("keys of others", frozenset({0}), listed(_foreign)),
    Case("keys backwards", frozenset({0, 3}), listed(_backwards)),
    Case("keys twice", frozenset({0}), listed(_twice)),
    Case("a size that is larger", frozenset({0, 5}), _sizes_lie("99999")),
    Case("a size that is no number", FAILS, _sizes_lie("-1")),
    Case("no keys at all", frozenset({0}), listed(lambda b, q: b.listing([], q))),
    Case("a token that repeats", FAILS | {0}, listed(_repeated_token), page=5),
    Case(
        "cut off without a token",
        FAILS | {0, 3},
        listed(
            lambda b, q: b.listing(
                sorted(b.objects), q, IsTruncated="true", NextContinuationToken=""
            )
        ),
        page=5,
    ),
    Case("an error on the second page", frozenset({6}), listed(_second_page_fails), page=5),
    Case("a web page for a listing", FAILS | {0}, listed(lambda *_: Told(200, PAGE))),
    Case(
        "half a listing",
        FAILS,
        listed(lambda b, q: Told(200, b.listing(sorted(b.objects), q).body[:300])),
    ),
)


def run_hostile_bucket(run: Run) -> None:
    """Fetch and place from a bucket that lies in one way after another."""
    root = run.place("project")
    builder = ProjectBuilder(root)
    builder.config("remotes:\n  origin: s3://bucket\nremote:\n  retries: 1\n  read_timeout: 3\n")
    builder.stage("tree", {"data/tree": {**FILES}})
    folder = run.place("folder")
    folder.mkdir()
    (root / ".pivot/config.yaml").write_text(f"folders:\n  origin: {folder.as_uri()}\n")
    done = run.pivot()("push", cwd=root)  # for the ledger
    assert done.code == 0, done
    builder.config("remotes:\n  origin: s3://bucket\nremote:\n  retries: 1\n  read_timeout: 3\n")
    held = {f"files/{name[:2]}/{name[2:]}": b for name, b in objects(root / ".pivot/cache").items()}
    for case in CASES:
        bucket = Bucket(held, page=case.page, lie=case.lie)
        clone = without_cache(root, run.place("clone"))
        with hostile(bucket) as url:
            server = dataclasses.replace(run.server, url=url)
            done = run.pivot(server)("pull", cwd=clone, timeout=_PATIENCE)
        wrong = [*_wrong(case, done, clone), *_asked_too_much(case, bucket, held)]
        run.point(*(f"{case.name}: {text}" for text in wrong))
        shutil.rmtree(clone)


def _wrong(case: Case, done: Done, clone: Path) -> Iterator[str]:
    if done.code not in case.codes:
        yield f"exit {done.code}: {done.out}{done.err}"
    if "Traceback" in done.err:
        yield f"I6: a traceback: {done.err}"
    if done.code and not any(line.startswith("Error: ") for line in done.err.splitlines()):
        yield f"no sentence: {done.err}"
    for name, content in objects(clone / ".pivot/cache").items():
        if content not in FILES.values():
            yield f"I1: wrong bytes under {name}"
    place = clone / "data/tree"
    if place.exists() and {p.name: p.read_bytes() for p in place.iterdir()} != FILES:
        yield "I2: the directory is not whole"
    if (done.code == 0) != place.exists():
        yield f"exit {done.code}, and the directory is {'' if place.exists() else 'not '}there"
    if left := leftovers(clone):
        yield f"I5: left behind: {left}"


def _asked_too_much(case: Case, bucket: Bucket, held: Mapping[str, bytes]) -> Iterator[str]:
    strangers = {key for method, key in bucket.asked if method == "GET" and key} - set(held)
    if strangers:
        yield f"fetched what nobody needs: {sorted(strangers)}"
    if case.reads_little and bucket.sent > _MUCH:
        yield f"{bucket.sent} bytes were read"


HOSTILE_BUCKET = Programme("R8", "a bucket that lies", run_hostile_bucket)

"""The comment on a pull request: one, found again, and never a reason to fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pivot.ci.comment import BODY_LIMIT, hidden_mark, post_comment
from pivot.ci.event import Event
from tests.servers.listener import Answer, Asked, listening
from tests.servers.process import free_ports

TOKEN = "ghs_canary"
REQUEST = Event("pull_request", trusted=True, reason="a branch of this repository", pull_request=7)
PUSH = Event("push", trusted=True, reason="a push to this repository")
BOT = "github-actions[bot]"
MARK = hidden_mark("train/pull/pull")


class GitHub:
    """GitHub's API, as far as comments of lab/pipeline and its pull request 7 are concerned."""

    def __init__(self) -> None:
        self.url = ""
        self.comments: list[dict[str, object]] = []
        self.asked: list[Asked] = []
        self.viewer: str | None = BOT
        """Whose the token is; GitHub does not tell of all tokens."""
        self.refusal: Answer | None = None
        """What is answered to whatever is asked."""
        self.read_only = False

    def has(self, author: str, body: str, key: int = 0) -> None:
        """Let somebody have written a comment."""
        key = key or len(self.comments) + 1
        self.comments.append({"id": key, "user": {"login": author}, "body": body})

    def changes(self) -> list[tuple[str, str]]:
        """List what was changed, without the questions before."""
        asked = [a for a in self.asked if a.method != "GET" and a.path != "/graphql"]
        return [(a.method, a.path) for a in asked]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if self.refusal is not None:
            return self.refusal
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(401, b"{}")
        if asked.path == "/graphql":
            return said({"data": {"viewer": self.viewer and {"login": self.viewer}}})
        if asked.method == "GET" and asked.path == "/repos/lab/pipeline/issues/7/comments":
            size, page = int(asked.query["per_page"][0]), int(asked.query["page"][0])
            return said(self.comments[size * (page - 1) : size * page])
        return self._change(asked, json.loads(asked.body))

    def _change(self, asked: Asked, tree: dict[str, str]) -> Answer:
        if self.read_only:
            return Answer(403, b'{"message": "Resource not accessible by integration"}')
        if asked.method == "POST" and asked.path == "/repos/lab/pipeline/issues/7/comments":
            self.has(self.viewer or BOT, tree["body"])
            return said(self.comments[-1], 201)
        found = re.fullmatch("/repos/lab/pipeline/issues/comments/([0-9]+)", asked.path)
        if asked.method == "PATCH" and found:
            (comment,) = [c for c in self.comments if c["id"] == int(found[1])]
            comment["body"] = tree["body"].replace("\n", "\r\n")  # as its web page does
            return said(comment)
        return Answer(404, b"{}")


def said(tree: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(tree).encode(), {"Content-Type": "application/json"})


@pytest.fixture(name="github")
def _github() -> Iterator[GitHub]:
    github = GitHub()
    with listening(github.answer) as github.url:
        yield github


def post(
    github: GitHub,
    text: str = "all is there",
    *,
    event: Event = REQUEST,
    mode: str = "on-change",
    mark: str = "train/pull/pull",
    body: Callable[[str], str] | None = None,
    **variables: str,
) -> str:
    return post_comment(
        {"GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": "lab/pipeline"} | variables,
        TOKEN,
        event,
        mark=mark,
        body=body or (lambda hidden: f"{hidden}\n{text}"),
        mode=mode,
    )


def test_a_first_run_writes_a_comment(github: GitHub) -> None:
    github.has("ana", "looks good")

    notice = post(github)

    assert notice == ""
    assert github.changes() == [("POST", "/repos/lab/pipeline/issues/7/comments")]
    assert github.comments[-1]["body"] == f"{MARK}\nall is there"


def test_a_later_run_brings_it_up_to_date(github: GitHub) -> None:
    post(github)
    github.has("ana", "looks good")

    notice = post(github, "3 objects are missing")

    assert notice == ""
    assert github.changes()[1:] == [("PATCH", "/repos/lab/pipeline/issues/comments/1")]
    assert len(github.comments) == 2
    assert "3 objects are missing" in str(github.comments[0]["body"])


def test_what_it_says_already_is_not_said_again(github: GitHub) -> None:
    post(github, "one\ntwo")
    post(github, "three\nfour")  # comes back with other ends of lines

    notice = post(github, "three\nfour")

    assert notice == ""
    assert len(github.changes()) == 2


def test_always_means_always(github: GitHub) -> None:
    post(github, mode="always")

    post(github, mode="always")

    assert [method for method, _ in github.changes()] == ["POST", "PATCH"]


def test_each_job_has_a_comment_of_its_own(github: GitHub) -> None:
    post(github, mark="train/pull/pull")
    post(github, mark="train/verify/verify")

    post(github, "changed", mark="train/verify/verify")

    assert github.changes()[-1] == ("PATCH", "/repos/lab/pipeline/issues/comments/2")


def test_the_comment_is_found_on_a_later_page(github: GitHub) -> None:
    for number in range(250):
        github.has("ana", f"remark {number}")
    github.has(BOT, f"{MARK}\nold")
    github.has("ana", "the last one")

    post(github)

    pages = [asked.query["page"] for asked in github.asked if asked.method == "GET"]
    assert pages == [["1"], ["2"], ["3"]]
    assert github.changes() == [("PATCH", "/repos/lab/pipeline/issues/comments/251")]


@pytest.mark.parametrize("number", [100, 200])
def test_the_last_page_may_be_full(number: int, github: GitHub) -> None:
    for _ in range(number):
        github.has("ana", "remark")

    post(github)

    assert github.changes() == [("POST", "/repos/lab/pipeline/issues/7/comments")]


def test_a_stranger_who_copies_the_mark_is_left_alone(github: GitHub) -> None:
    github.has("mallory", f"{MARK}\nall is there, trust me")

    post(github)

    assert github.changes() == [("POST", "/repos/lab/pipeline/issues/7/comments")]
    assert github.comments[0]["body"] == f"{MARK}\nall is there, trust me"


def test_a_mark_inside_a_text_is_none(github: GitHub) -> None:
    github.has(BOT, f"{hidden_mark('other')}\na stage is called {MARK}")

    post(github)

    assert [method for method, _ in github.changes()] == ["POST"]


@pytest.mark.parametrize(
    ("viewer", "author"),
    [
        ("ana", "ana"),  # a token of her own
        ("data-bot[bot]", "data-bot[bot]"),  # of an app
        ("data-bot", "data-bot[bot]"),
        (None, BOT),  # GitHub does not tell
    ],
)
def test_the_comment_is_that_of_whoever_has_the_token(
    viewer: str | None, author: str, github: GitHub
) -> None:
    github.viewer = viewer
    github.has("mallory", f"{MARK}\nforged")
    github.has(author, f"{MARK}\nold")

    post(github)

    assert github.changes() == [("PATCH", "/repos/lab/pipeline/issues/comments/2")]


def test_the_token_goes_to_the_api_alone(github: GitHub) -> None:
    github.has(BOT, f"{MARK}\nold")
    elsewhere: list[Asked] = []

    def hear(asked: Asked) -> Answer:
        elsewhere.append(asked)
        return Answer()

    with listening(hear) as url:
        post(github, GITHUB_GRAPHQL_URL=f"{url}/graphql")

    assert not elsewhere
    assert github.changes() == [("PATCH", "/repos/lab/pipeline/issues/comments/1")]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(status: int, github: GitHub) -> None:
    elsewhere: list[Asked] = []

    def hear(asked: Asked) -> Answer:
        elsewhere.append(asked)
        return said([])

    with listening(hear) as url:
        github.refusal = Answer(status, b"", {"Location": f"{url}/repos"})
        notice = post(github)

    assert notice == f"there is no comment: GitHub answered HTTP {status}"
    assert not elsewhere
    assert len(github.asked) == 1


def test_a_netrc_does_not_replace_the_token(
    github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login ana password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    assert post(github) == ""


def test_a_push_has_no_pull_request_to_comment_on(github: GitHub) -> None:
    assert post(github, event=PUSH) == "there is no comment: the event is about no pull request"
    assert not github.asked


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_says_which_permission_is_missing(status: int, github: GitHub) -> None:
    github.refusal = Answer(status, b'{"message": "Resource not accessible by integration"}')

    assert post(github) == (
        f"there is no comment: GitHub refuses it (HTTP {status}); does the job have "
        "`permissions: pull-requests: write`?"
    )


def test_a_token_that_may_only_read_says_so_too(github: GitHub) -> None:
    github.read_only = True

    assert "pull-requests: write" in post(github)


@pytest.mark.parametrize(
    "refusal",
    [
        Answer(0),
        Answer(204),
        Answer(500, b"<html>"),
        Answer(200, b"<html>"),
        Answer(200, b"{}"),
        Answer(200, b"null"),
        Answer(200, b"\xff\xfe"),
    ],
    ids=repr,
)
def test_an_answer_that_is_none_is_a_notice(refusal: Answer, github: GitHub) -> None:
    github.refusal = refusal

    assert post(github).startswith("there is no comment: ")


@pytest.mark.parametrize(
    "entry",
    [None, 1, {}, {"id": "1"}, {"id": 1, "user": None, "body": "x"}, {"id": 1, "user": {}}],
    ids=repr,
)
def test_comments_of_a_strange_form_are_passed_over(entry: object, github: GitHub) -> None:
    github.comments.append(entry)  # type: ignore[arg-type]

    assert post(github) == ""


def test_without_a_network_there_is_a_notice() -> None:
    github = GitHub()
    github.url = f"http://127.0.0.1:{free_ports(1)[0]}"

    assert post(github) == "there is no comment: no answer from GitHub (ConnectionError)"


@pytest.mark.parametrize("repository", ["", "lab", "lab/../..", "lab/a/b", "../x/y", "lab/a?b=c"])
def test_a_repository_that_is_none_is_not_asked_for(repository: str, github: GitHub) -> None:
    notice = post(github, GITHUB_REPOSITORY=repository)

    assert notice == "there is no comment: GITHUB_REPOSITORY names no repository"
    assert not github.asked


URLS = ["nonsense", "ftp://example.org", "http://[::1", "http://"]


@pytest.mark.parametrize("url", URLS)
def test_an_address_that_is_none_is_a_notice(url: str, github: GitHub) -> None:
    assert post(github, GITHUB_API_URL=url).startswith("there is no comment: ")


@pytest.mark.parametrize("url", URLS)
def test_without_graphql_the_token_is_taken_for_the_jobs_own(url: str, github: GitHub) -> None:
    github.has(BOT, f"{MARK}\nold")

    assert post(github, GITHUB_GRAPHQL_URL=url) == ""
    assert github.changes() == [("PATCH", "/repos/lab/pipeline/issues/comments/1")]


def test_a_long_text_is_cut_at_a_line(github: GitHub) -> None:
    post(github, "| a stage ✓ |\n" * 10_000)

    body = str(github.comments[0]["body"])
    assert BODY_LIMIT - 200 < len(body.encode()) <= BODY_LIMIT
    assert body.startswith(MARK)
    assert "| a stage ✓ |\n\n*The rest is left out" in body


def test_a_text_that_forgets_its_mark_gets_it(github: GitHub) -> None:
    post(github, body=lambda hidden: "all is there")

    assert github.comments[0]["body"] == f"{MARK}\nall is there"


def test_a_text_with_bytes_that_are_none_arrives(github: GitHub) -> None:
    post(github, "caf\udce9")

    assert github.comments[0]["body"] == f"{MARK}\ncaf\\udce9"


@pytest.mark.parametrize("mark", ["", "a --> <b>", "übung/\udce9", "a\nb"])
def test_a_mark_is_a_comment_whatever_a_job_is_called(mark: str) -> None:
    assert re.fullmatch(r"<!-- pivot-remote: [0-9a-f]{32} -->", hidden_mark(mark))


def test_no_notice_shows_the_token(github: GitHub) -> None:
    notices = [post(github, GITHUB_API_URL=f"http://127.0.0.1:{free_ports(1)[0]}")]
    for status in (0, 200, 302, 401, 403, 404, 422, 500):
        github.refusal = Answer(status, TOKEN.encode())
        notices.append(post(github))

    assert all(notice and TOKEN not in notice for notice in notices)

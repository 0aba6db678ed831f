"""One comment on a pull request that each run of a job brings up to date."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import requests

    from pivot.ci.event import Event
    from pivot.values import Typed

BODY_LIMIT = 60_000
"""Bytes; GitHub takes 65,536 characters."""

_CUT = "\n\n*The rest is left out: it is too long for a comment.*\n"
_PAGE = 100
_MOST_PAGES = 100
_TIMEOUTS = (5, 20)  # seconds to connect, and to wait for an answer
_WHO = "query { viewer { login } }"
_ACTIONS = "github-actions[bot]"
"""As whom the token of a job writes."""


def post_comment(
    environment: Mapping[str, str],
    token: str,
    event: Event,
    *,
    mark: str,
    body: Callable[[str], str],
    mode: str,
) -> str:
    """Write the comment that is known by *mark*, or bring it up to date; say why it cannot be done.

    *body* makes the text, of a line that hides the mark. With *mode* `on-change`, a comment that
    says the same already is left alone. The *token* is sent to GitHub's API alone.
    """
    import requests  # noqa: PLC0415  takes its time

    if event.pull_request is None:
        return "there is no comment: the event is about no pull request"
    hidden = hidden_mark(mark)
    text = _fit(body(hidden), hidden)
    try:
        api = _Api(environment, token)
        own = api.find(event.pull_request, hidden)
        if own is None:
            api.send("POST", f"issues/{event.pull_request}/comments", {"body": text})
        elif mode != "on-change" or _same(own[1]) != _same(text):
            api.send("PATCH", f"issues/comments/{own[0]}", {"body": text})
    except _Refused as error:
        return f"there is no comment: {error}"
    except requests.RequestException as error:
        return f"there is no comment: no answer from GitHub ({type(error).__name__})"
    return ""


def hidden_mark(mark: str) -> str:
    """Make the first line of the comment, which readers do not see and nobody can break."""
    digest = hashlib.sha256(mark.encode("utf-8", "surrogatepass")).hexdigest()
    return f"<!-- pivot-remote: {digest[:32]} -->"


class _Refused(Exception):
    """GitHub did not do it; the text is a sentence."""


class _Api:
    """The part of GitHub's API that is about comments of one repository."""

    def __init__(self, environment: Mapping[str, str], token: str) -> None:
        repository = environment.get("GITHUB_REPOSITORY", "")
        if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", repository, re.ASCII):
            raise _Refused("GITHUB_REPOSITORY names no repository")
        self._base = environment.get("GITHUB_API_URL") or "https://api.github.com"
        self._graphql = environment.get("GITHUB_GRAPHQL_URL") or f"{self._base}/graphql"
        self._repository = f"{self._base}/repos/{repository}"
        self._token = token

    def find(self, number: int, hidden: str) -> tuple[int, str] | None:
        """Find the oldest comment that begins with *hidden* and is our own: its id and text."""
        marked = [
            (author, key, text)
            for author, key, text in self._comments(number)
            if text.startswith(hidden)
        ]
        if not marked:
            return None
        ours = self._who()
        return next(((key, text) for author, key, text in marked if author in ours), None)

    def send(self, method: str, path: str, tree: dict[str, Typed]) -> None:
        """Change something of the repository."""
        self._call(method, f"{self._repository}/{path}", tree)

    def _comments(self, number: int) -> Iterator[tuple[str, int, str]]:
        for page in range(1, _MOST_PAGES + 1):
            url = f"{self._repository}/issues/{number}/comments?per_page={_PAGE}&page={page}"
            told = self._call("GET", url)
            if not isinstance(told, list):
                raise _Refused("GitHub's list of comments is none")
            for entry in told:
                match entry:
                    case {"id": int(key), "body": str(text), "user": {"login": str(author)}}:
                        yield author, key, text
            if len(told) < _PAGE:
                return

    def _who(self) -> set[str]:
        """Ask whose the token is; GitHub's own tokens may not always ask."""
        try:
            if urlsplit(self._graphql)[:2] != urlsplit(self._base)[:2]:
                return {_ACTIONS}
            told = self._call("POST", self._graphql, {"query": _WHO})
        except (_Refused, ValueError):  # the latter for a URL that is none
            return {_ACTIONS}
        match told:
            case {"data": {"viewer": {"login": str(login)}}} if login:
                return {login, f"{login}[bot]"}  # a bot has its ending in some answers only
        return {_ACTIONS}

    def _call(self, method: str, url: str, tree: dict[str, Typed] | None = None) -> Typed:
        """Send one request, with the token and no redirect; raises `_Refused` if it is refused."""
        import requests  # noqa: PLC0415

        answer = requests.request(
            method,
            url,
            json=tree,
            headers={"Accept": "application/vnd.github+json"},
            auth=self._authorize,
            timeout=_TIMEOUTS,
            allow_redirects=False,
        )
        status = answer.status_code
        if status in {401, 403, 404}:
            raise _Refused(
                f"GitHub refuses it (HTTP {status}); does the job have "
                "`permissions: pull-requests: write`?"
            )
        if status not in {200, 201}:
            raise _Refused(f"GitHub answered HTTP {status}")
        try:
            told: Typed = answer.json()
        except ValueError as error:
            raise _Refused("GitHub's answer is no JSON") from error
        return told

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"  # whatever a ~/.netrc says
        return request


def _fit(text: str, hidden: str) -> str:
    """Let the text begin with its mark, and end where GitHub takes no more."""
    if not text.startswith(hidden):
        text = f"{hidden}\n{text}"
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > BODY_LIMIT:
        kept = data[: BODY_LIMIT - len(_CUT)]
        data = kept[: kept.rfind(b"\n")] + _CUT.encode()
    return data.decode()


def _same(text: str) -> str:
    """Leave out of a comment what GitHub may change."""
    return text.replace("\r\n", "\n").strip()

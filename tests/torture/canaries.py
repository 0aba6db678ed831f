"""Secrets come from everywhere, services repeat them, and nobody is to read them anywhere."""

from __future__ import annotations

import base64
import itertools
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.conftest import Command
from tests.e2e.ci import Runner
from tests.e2e.weather import make_project, without_cache
from tests.servers.gossip import Gossip, Manner, gossiping
from tests.torture.programme import Programme, Run

_VOLUMES = (("--quiet",), (), ("-v",), ("-vvv",), ("--json",))
_SMALL = 8
_SIGNS = ("X-Amz-Signature", "Signature=", "AWS4-HMAC", "Bearer ")


@dataclass
class Secrets:
    """What nobody may read, and how a command gets to know it at *url*."""

    url: str
    home: Path
    variables: dict[str, str] = field(default_factory=dict)
    endpoint: str = ""
    known: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> str:
        """Make a secret."""
        self.known.append(f"canary-{name}-{len(self.known):08}")
        return self.known[-1]

    def write(self, name: str, text: str) -> Path:
        """Write a file of the user's."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


def _environment(secrets: Secrets) -> None:
    secrets.variables |= {
        "AWS_ACCESS_KEY_ID": secrets("KEYID"),
        "AWS_SECRET_ACCESS_KEY": secrets("secret"),
        "AWS_SESSION_TOKEN": secrets("session"),
    }


def _profile(secrets: Secrets) -> None:
    keys = f"aws_access_key_id = {secrets('KEYID')}\naws_secret_access_key = {secrets('secret')}\n"
    secrets.write(".aws/credentials", f"[me]\n{keys}aws_session_token = {secrets('session')}\n")
    secrets.variables["AWS_PROFILE"] = "me"


def _broken_profile(secrets: Secrets) -> None:
    secrets.write(".aws/credentials", f"[me]\naws_access_key_id {secrets('KEYID')}\n[[\n")
    secrets.variables["AWS_PROFILE"] = "me"


def _process(secrets: Secrets) -> None:
    told = f"import sys; print({secrets('printed')!r}); sys.exit({secrets('reason')!r})"
    words = shlex.join([sys.executable, "-c", told])
    secrets.write(".aws/config", f"[profile me]\ncredential_process = {words}\n")
    secrets.variables["AWS_PROFILE"] = "me"


def _web_identity(secrets: Secrets) -> None:
    token = secrets.write("token", secrets("identity"))
    secrets.variables |= {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/main",
        "AWS_ENDPOINT_URL_STS": secrets.url,
    }


def _container(secrets: Secrets) -> None:
    secrets.variables |= {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{secrets.url}/keys?x={secrets('address')}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": secrets("authorization"),
    }


def _address(secrets: Secrets) -> None:
    _environment(secrets)
    secrets.endpoint = secrets.url.replace("//", f"//{secrets('user')}:{secrets('password')}@")


def _proxy(secrets: Secrets) -> None:
    _environment(secrets)
    through = secrets.url.replace("//", f"//{secrets('user')}:{secrets('password')}@")
    secrets.endpoint = "http://s3.example.invalid"
    secrets.variables |= {"HTTP_PROXY": through, "http_proxy": through}


SOURCES: tuple[Callable[[Secrets], None], ...] = (
    _environment,
    _profile,
    _broken_profile,
    _process,
    _web_identity,
    _container,
    _address,
    _proxy,
)


def run_canaries(run: Run) -> None:
    """Let commands and steps of jobs fail in all ways, with secrets of all kinds."""
    project = make_project(run.place("project"), "bucket")
    clone = without_cache(project, run.place("clone"))
    for place in (project, clone):
        config = place / ".pivot/config.yaml"
        text = config.read_text().replace("retries: 3", "retries: 1")
        config.write_text(text.replace("connect_timeout: 5", "connect_timeout: 1"))
    places = {"push": project, "pull": clone, "verify": clone}
    ways = [*itertools.product(SOURCES, Manner, places, _VOLUMES)]
    if not run.full:
        ways = run.random.sample(ways, _SMALL)
    for source, manner, word, volume in ways:
        found = _told(run, source, manner, word, volume, places[word])
        run.point(*found)
    jobs = [*itertools.product(SOURCES, Manner, places)]
    for source, manner, word in jobs if run.full else run.random.sample(jobs, 1):
        run.point(*_published(run, source, manner, word, places[word]))
    run.note(f"{len(SOURCES)} sources, {len(Manner)} kinds of answers")


def _told(
    run: Run,
    source: Callable[[Secrets], None],
    manner: Manner,
    word: str,
    volume: tuple[str, ...],
    place: Path,
) -> Iterator[str]:
    """Run a command; say which secret is on a stream or in a file that was not there before."""
    gossip = Gossip(manner, ())
    with gossiping(gossip) as url:
        secrets = _learn(run, source, gossip, url)
        command = Command(secrets.home, secrets.variables)
        before = _texts(place, secrets.home)
        done = command(word, *volume, cwd=place)
    case = f"{source.__name__[1:]}, {manner}, {word} {' '.join(volume)}"
    if done.code == 0 or "Traceback" in done.err + done.out:
        yield f"{case}: {done}"
    texts = {"out": done.out, "err": done.err}
    texts |= {n: t for n, t in _texts(place, secrets.home).items() if before.get(n) != t}
    yield from _read(case, secrets, texts)


def _published(
    run: Run, source: Callable[[Secrets], None], manner: Manner, word: str, place: Path
) -> Iterator[str]:
    """Run a step that comments and has a role; say which secret is in anything it tells."""
    gossip = Gossip(manner, ())
    with gossiping(gossip) as url:
        secrets = _learn(run, source, gossip, url)
        token = secrets("github")
        more = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?x=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": secrets("request"),
            "GITHUB_API_URL": url,
        }
        gossip.known = tuple(secrets.known)
        runner = Runner(place, run.place("runner"), secrets.variables | more)
        home = runner.temporary / "home"
        home.parent.mkdir(parents=True)
        secrets.home.rename(home)
        before = _texts(place, runner.temporary)
        step = runner(word, github_token=token, comment="always", log_level="debug")
    told = "\n".join(x for x in step.log.splitlines() if not x.startswith("::add-mask::"))
    texts = {"out": told, "err": step.done.err}
    now = _texts(place, runner.temporary)
    texts |= {name: text for name, text in now.items() if before.get(name) != text}
    case = f"job, {source.__name__[1:]}, {manner}, {word}"
    if step.code == 0 or "Traceback" in step.everything:
        yield f"{case}: {step.done}"
    yield from _read(case, secrets, texts)


def _learn(run: Run, source: Callable[[Secrets], None], gossip: Gossip, url: str) -> Secrets:
    """Make secrets that commands and service get to know."""
    secrets = Secrets(url, run.place("home"), {"AWS_REGION": "us-east-1"})
    secrets.home.mkdir()
    source(secrets)
    secrets.variables["AWS_ENDPOINT_URL"] = secrets.endpoint or url
    gossip.known = tuple(secrets.known)
    return secrets


def _texts(*places: Path) -> dict[str, str]:
    """Read all files, with their names."""
    return {
        str(path): f"{path.name}\n{path.read_bytes().decode(errors='replace')}"
        for place in places
        for path in place.rglob("*")
        if path.is_file()
    }


def _read(case: str, secrets: Secrets, texts: dict[str, str]) -> Iterator[str]:
    for name, text in texts.items():
        for secret in secrets.known:
            forms = {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()}
            if any(form in text for form in forms):
                yield f"{case}: {secret} in {name}: {text[:2000]}"
        yield from (f"{case}: {sign} in {name}: {text[:2000]}" for sign in _SIGNS if sign in text)


CANARIES = Programme("R19", "secrets from everywhere, told to nobody", run_canaries)

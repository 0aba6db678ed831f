"""What services and libraries say, as far as it may be shown: they repeat what they were told."""

from __future__ import annotations

import os
import re

_LONGEST = 200
_BODY = re.compile(r"(?<=from container metadata): .*")  # botocore repeats the whole answer
_USER = re.compile(  # with a password; what follows a host can only be its port
    r"""([a-z][a-z0-9+.-]*://)?[^\s"'<>/@:]+:(?!//|\d+/)[^\s"'<>@]*@""", re.IGNORECASE
)
_SECRET = re.compile(
    r"""(?P<scheme> [a-z][a-z0-9+.-]*://) (?: [^/\s"'<>]* @ )? (?P<name> [^/?\#\s"'<>]* ) [^\s"'<>]*
    | (?P<word> [A-Za-z0-9+/=_~.%-]{16,} )""",
    re.VERBOSE | re.IGNORECASE,
)


def tell(text: object) -> str:
    """Make one line of *text* without what may be a secret.

    Of URLs stay scheme and host, and of long words with digits in them, as keys and tokens are,
    nothing but those that name a file of this machine.
    """
    line = _BODY.sub("", " ".join(str(text).split()))
    line = _SECRET.sub(_cut, _USER.sub(lambda found: found[1] or "", line))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _cut(found: re.Match[str]) -> str:
    word = found["word"]
    if word is None:
        return f"{found['scheme']}{found['name']}"
    plain = not any(char.isdigit() for char in word)
    return word if plain or os.path.exists(word.rstrip(".")) else "…"

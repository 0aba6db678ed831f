"""OpenStack Swift with its S3 layer, one replica of everything, from Debian's packages."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.debian import need
from tests.servers.process import LOOPBACK, answers, free_ports, listens, run, running
from tests.servers.server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator

STORES = ("account", "container", "object")
PACKAGES = ("swift-proxy", "swift-account", "swift-container", "swift-object", "memcached")
PROGRAMS = ("swift-proxy-server", "swift-object-server", "swift-ring-builder", "memcached")

COMMON = """\
[swift-hash]
swift_hash_path_suffix = suffix
swift_hash_path_prefix = prefix
[storage-policy:0]
name = only
default = yes
[swift-constraints]
max_file_size = 5368709122
"""

DEFAULT = """\
[DEFAULT]
bind_ip = {host}
bind_port = {port}
user = root
workers = 0
swift_dir = {etc}
log_address = /dev/null
"""

STORE = """\
devices = {devices}
mount_check = false
fallocate_reserve = 0
recon_cache_path = {cache}
[pipeline:main]
pipeline = {store}-server
[app:{store}-server]
use = egg:swift#{store}
"""

FILTERS = {
    "catch_errors": "",
    "gatekeeper": "",
    "healthcheck": "",
    "cache": "memcache_servers = {host}:{memory}",
    "listing_formats": "",
    "bulk": "",
    "s3api": (
        "location = us-east-1\nauth_pipeline_check = false\ns3_acl = false\n"
        "dns_compliant_bucket_names = true"
    ),
    "tempauth": "user_test_tester = testsecret .admin",
    "copy": "",
    "slo": "",
    "dlo": "",
}


@contextlib.contextmanager
def swift(directory: Path) -> Iterator[S3Server]:
    """Serve S3 from a new ring, installed first if need be; raises `NotHere` without root."""
    directory.mkdir(parents=True, exist_ok=True)
    need(PROGRAMS, PACKAGES, directory)
    etc, disk = directory / "etc", directory / "disks" / "one"
    for part in (etc, disk, directory / "cache"):
        part.mkdir(parents=True)
    # a folder to mount ours over, which leaves one that is there as it is
    Path("/etc/swift").mkdir(exist_ok=True)
    proxy, memory, *others = free_ports(2 + len(STORES))
    stores = dict(zip(STORES, others, strict=True))
    (etc / "swift.conf").write_text(COMMON)
    for store, port in stores.items():
        _make_store(directory, store, port)
    (etc / "proxy-server.conf").write_text(
        DEFAULT.format(host=LOOPBACK, port=proxy, etc=etc) + _pipeline(memory)
    )
    with contextlib.ExitStack() as stack:
        cache = ["memcached", "-u", "root", "-l", LOOPBACK, "-p", str(memory), "-m", "64"]
        stack.enter_context(running(cache, directory, lambda: listens(memory)))
        for name, port in {**stores, "proxy": proxy}.items():
            command = [
                *("unshare", "--mount", "--propagation=private", "sh", "-c"),
                'mount --bind "$0" /etc/swift && exec "$@"',
                *(str(etc), f"swift-{name}-server", str(etc / f"{name}-server.conf"), "-v"),
            ]
            stack.enter_context(
                running(command, directory, functools.partial(answers, port), name=f"swift-{name}")
            )
        yield S3Server("swift", f"http://{LOOPBACK}:{proxy}", "test:tester", "testsecret")


def _make_store(directory: Path, store: str, port: int) -> None:
    """Write a storage server's settings and the ring that leads to its one disk."""
    etc = directory / "etc"
    ring = ["swift-ring-builder", str(etc / f"{store}.builder")]
    run([*ring, "create", "4", "1", "1"], directory)
    run([*ring, "add", f"r1z1-{LOOPBACK}:{port}/one", "1"], directory)
    run([*ring, "rebalance"], directory)
    (etc / f"{store}-server.conf").write_text(
        DEFAULT.format(host=LOOPBACK, port=port, etc=etc)
        + STORE.format(store=store, devices=directory / "disks", cache=directory / "cache")
    )


def _pipeline(memory: int) -> str:
    """Return the filters and the application of the proxy server."""
    filters = "".join(
        f"[filter:{name}]\nuse = egg:swift#{'memcache' if name == 'cache' else name}\n"
        f"{settings.format(host=LOOPBACK, memory=memory)}\n"
        for name, settings in FILTERS.items()
    )
    return (
        f"[pipeline:main]\npipeline = {' '.join(FILTERS)} proxy-server\n"
        "[app:proxy-server]\nuse = egg:swift#proxy\n"
        f"allow_account_management = true\naccount_autocreate = true\n{filters}"
    )

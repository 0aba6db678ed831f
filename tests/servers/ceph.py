"""Ceph's RADOS gateway over a cluster of one node in memory, from Debian's packages."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from typing import TYPE_CHECKING

from tests.servers.debian import need
from tests.servers.process import LOOPBACK, answers, free_ports, run, running
from tests.servers.server import S3Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "ceph")
PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common")

CONFIGURATION = """\
[global]
fsid = {cluster}
mon host = [v2:{host}:{monitor}/0]
public addr = {host}
cluster addr = {host}
ms bind msgr1 = false
ms mon client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
run dir = {directory}/run
admin socket =
crash dir = {directory}/log
log file = {directory}/log/$type.log
log to syslog = false
mon cluster log file = {directory}/log/cluster.log
keyring = {directory}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 1
mon osd full ratio = 0.99
mon osd nearfull ratio = 0.97
mon osd backfillfull ratio = 0.98
[mon]
mon data = {directory}/mon
[osd]
osd data = {directory}/osd
osd objectstore = memstore
osd class load list = *
osd class default list = *
memstore device bytes = 8589934592
[client]
rgw frontends = beast endpoint={host}:{gateway}
rgw data = {directory}/rgw
rgw dns name = localhost
rgw thread pool size = 64
rgw enable usage log = false
rgw enable ops log = false
rgw run sync thread = false
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw zone root pool = .rgw.root
"""


@contextlib.contextmanager
def ceph(directory: Path) -> Iterator[S3Server]:
    """Serve S3 from a new cluster, installed first if need be; raises `NotHere` without root."""
    for part in ("run", "log", "mon", "osd", "rgw"):
        (directory / part).mkdir(parents=True)
    need(PROGRAMS, PACKAGES, directory)
    gateway, monitor = free_ports(2)
    server = S3Server("ceph", f"http://{LOOPBACK}:{gateway}", "testkey", "testsecret")
    cluster = str(uuid.uuid4())
    settings = directory / "ceph.conf"
    settings.write_text(
        CONFIGURATION.format(
            cluster=cluster, directory=directory, host=LOOPBACK, gateway=gateway, monitor=monitor
        )
    )
    conf = ["-c", str(settings)]
    _make_monitor(directory, conf, cluster, f"[v2:{LOOPBACK}:{monitor}/0]")
    ask = ["ceph", *conf, "--connect-timeout=5"]
    with contextlib.ExitStack() as stack:

        def start(name: str, *arguments: str, ready: Callable[[], bool]) -> None:
            command = [name, *conf, "-f", *arguments]
            stack.enter_context(running(command, directory, ready, seconds=120))

        start("ceph-mon", "-i", "a", ready=lambda: "quorum" in _output([*ask, "quorum_status"]))
        osd = str(uuid.uuid4())
        run([*ask, "osd", "new", osd], directory)
        run(["ceph-osd", *conf, "-i", "0", "--mkfs", "--osd-uuid", osd], directory)
        start("ceph-osd", "-i", "0", ready=lambda: "1 up" in _output([*ask, "osd", "stat"]))
        keys = [f"--access-key={server.access_key}", f"--secret={server.secret_key}"]
        user = ["user", "create", "--uid=test", "--display-name=test", *keys]
        run(["radosgw-admin", *conf, *user], directory)
        start("radosgw", "-n", "client.admin", ready=lambda: answers(gateway, below=400))
        yield server


def _make_monitor(directory: Path, conf: list[str], cluster: str, address: str) -> None:
    keyring, monitors = str(directory / "keyring"), str(directory / "monmap")
    everything = [word for part in ("mon", "osd", "mgr") for word in ("--cap", part, "allow *")]
    key = ["--gen-key", "-n"]
    run(["ceph-authtool", "--create-keyring", keyring, *key, "mon.", *everything[:3]], directory)
    run(["ceph-authtool", keyring, *key, "client.admin", *everything], directory)
    new = ["--create", "--clobber", "--fsid", cluster]
    run(["monmaptool", *new, "--addv", "a", address, monitors], directory)
    files = ["--monmap", monitors, "--keyring", keyring]
    run(["ceph-mon", *conf, "-i", "a", "--mkfs", *files], directory)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return done.stdout

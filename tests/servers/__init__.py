"""Real S3 servers for tests, each a context manager, and a proxy that makes them misbehave."""

from tests.servers.ceph import ceph
from tests.servers.faults import FaultProxy, fault_proxy
from tests.servers.juicefs import juicefs
from tests.servers.moto import moto
from tests.servers.process import NotHere, NotReady
from tests.servers.rclone import rclone
from tests.servers.seaweedfs import seaweedfs
from tests.servers.server import S3Server
from tests.servers.swift import swift
from tests.servers.tls import tls

__all__ = [
    "FaultProxy",
    "NotHere",
    "NotReady",
    "S3Server",
    "ceph",
    "fault_proxy",
    "juicefs",
    "moto",
    "rclone",
    "seaweedfs",
    "swift",
    "tls",
]

"""fsspec 2024.6 to 2026.9, and paramiko behind its sftp."""

from __future__ import annotations

import importlib.util

import pytest

from tests.libraries.standing import Standing

STANDING = Standing(
    distribution="fsspec",
    module="fsspec",
    ours="drivers/fsspec/internals.py",
    public=("drivers/fsspec/opening.py",),
    takes={
        "fsspec.implementations.local:LocalFileSystem._strip_protocol": "path",
        "fsspec.spec:AbstractBufferedFile.commit": "self",
        "fsspec.spec:AbstractBufferedFile.discard": "self",
    },
    written={
        "fsspec.dircache:DirCache.__init__": ("use_listings_cache", "self._cache"),
        "fsspec.dircache:DirCache.__setitem__": ("if not self.use_listings_cache: return",),
        "fsspec.spec:AbstractFileSystem.__init__": ("self.dircache = DirCache(",),
        "fsspec.spec:AbstractBufferedFile.__del__": ("if not self.closed:",),
        "fsspec.implementations.ftp:FTPFileSystem._connect": ("self.ftp = ",),
    },
)

SFTP = Standing(
    distribution="paramiko",
    module="paramiko",
    ours=STANDING.ours,
    takes={
        "paramiko.sftp_client:SFTPClient.get_channel": "self",
        "paramiko.client:SSHClient.get_transport": "self",
        "paramiko.sftp_file:SFTPFile.readv": "self chunks max_concurrent_prefetch_requests",
        "paramiko.sftp_file:SFTPFile.set_pipelined": "self pipelined",
        "paramiko.sftp_file:SFTPFile.stat": "self",
    },
    written={
        "paramiko.transport:Transport.__init__": ("self.sock = sock",),
        "fsspec.implementations.sftp:SFTPFileSystem": (
            'protocol = "sftp", "ssh"',
            "self.client = paramiko.SSHClient()",
            "self.ftp = self.client.open_sftp()",
        ),
        "fsspec.implementations.sftp:SFTPFileSystem._open": ("self.ftp.open(path, mode",),
    },
)


def test_fsspec_is_as_we_know_it() -> None:
    assert STANDING.moved() == []


def test_sftp_is_as_we_know_it() -> None:
    assert SFTP.moved() == []


def test_who_renames_has_a_way_of_its_own() -> None:
    pytest.importorskip("fsspec")
    from fsspec import AbstractFileSystem, get_filesystem_class

    from drivers.fsspec import internals

    named = ["ftp", *["sftp"] * (importlib.util.find_spec("paramiko") is not None)]
    assert all(internals.renames(get_filesystem_class(one)) for one in named)
    assert not internals.renames(AbstractFileSystem)
    assert not internals.renames(get_filesystem_class("zip"))

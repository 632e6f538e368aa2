"""From a URL and its options to a tree; what can be wrong with them is said at configuration.

Nothing here connects: an upstream that is down does not keep the gateway from
starting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from drivers.fsspec import internals
from drivers.fsspec.pool import Pool
from drivers.fsspec.tree import Tree
from gateway.storage import Context, OriginFailed, Secret

if TYPE_CHECKING:
    from drivers.fsspec.calls import Connected, Way

_LOCAL = frozenset({"file", "local"})
_ATOMIC = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "obs", "cos", "tos"}
)
"""Object stores: an upload is there whole at its end, and not before."""

_MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a service's `url` names. `options` are fsspec's, with secrets unrevealed."""

    url: str
    protocol: str
    options: Mapping[str, Any]

    @classmethod
    def of(cls, url: str, options: Mapping[str, Any]) -> Target:
        """Raises `ValueError` saying what is wrong with the URL, or what is not installed."""
        try:
            from fsspec import get_filesystem_class
            from fsspec.utils import get_protocol
        except ImportError as error:
            raise ValueError(
                "the fsspec driver needs the package fsspec: pip install 'storage-gateway[fsspec]'"
            ) from error
        first = url.partition("::")[0]
        if any(urlsplit(part).password for part in url.split("::")):
            raise ValueError("url: give the password in storage_options (password_env = …)")
        protocol = first if "::" in url and "://" not in first else get_protocol(first)
        if protocol in _LOCAL and "::" not in url and not _is_absolute(url):
            raise ValueError('url: a folder is given whole, as in "file:///srv/photos"')
        try:
            get_filesystem_class(protocol)
        except (ValueError, ImportError) as error:
            raise ValueError(f"url: {error}") from error
        return cls(url=url, protocol=protocol, options=options)

    @property
    def in_one_process(self) -> bool:
        return self.protocol == _MEMORY

    @property
    def folder(self) -> Path | None:
        """The folder of this machine that it is; None for another file system."""
        local = self.protocol in _LOCAL and "::" not in self.url
        return Path(internals.local_path(self.url)) if local else None

    def open(self, context: Context, *, connections: int, timeout: float) -> Tree:
        if (folder := self.folder) is not None:
            from drivers.fsspec.local import LocalTree

            return LocalTree(str(folder))
        from fsspec import get_filesystem_class

        from drivers.fsspec.remote import RemoteTree

        kind = get_filesystem_class(self.protocol)
        together = bool(getattr(kind, "async_impl", False)) or self.protocol == _MEMORY
        pool = Pool(
            partial(self._connect, timeout),
            size=connections,
            patience=timeout,
            together=together,
            threads=None if self.protocol == _MEMORY else context.threads,
        )
        return RemoteTree(
            pool,
            way=self._way(kind),
            timeout=timeout if getattr(kind, "async_impl", False) else None,
            spool=context.folder,
        )

    def _way(self, kind: type[Any]) -> Way | None:
        """How a file is replaced there in one step; None where it cannot be."""
        if "::" in self.url:
            return None
        if self.protocol == _MEMORY:
            return "memory"
        if self.protocol in _ATOMIC:
            return "upload"
        return "rename" if internals.renames(kind) else None

    def _connect(self, timeout: float) -> Connected:
        """An instance of our own: fsspec's are shared by whoever asks, and keep listings."""
        from fsspec.core import url_to_fs

        from drivers.fsspec.calls import Connected

        given = {**_patience(self.protocol, timeout), **revealed(self.options)}
        if "::" not in self.url:
            given["skip_instance_cache"] = True
        try:
            fs, root = url_to_fs(self.url, **given)
        except (TypeError, KeyError) as error:  # fsspec hands options to constructors as they are
            text = f"storage_options do not fit {self.protocol} ({type(error).__name__})."
            raise OriginFailed(text) from error
        internals.settle(fs, timeout)
        return Connected(fs, str(root).rstrip("/"))


def _patience(protocol: str, timeout: float) -> dict[str, Any]:
    """Time-outs where the library has some of its own; the asynchronous ones have ours."""
    if protocol == "ftp":
        return {"timeout": timeout}
    if protocol in ("sftp", "ssh"):
        return dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), timeout)
    return {}


def revealed(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as fsspec takes them: for the moment of connecting only."""
    return {name: _revealed(value) for name, value in options.items()}


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    return revealed(value) if isinstance(value, Mapping) else value


def _is_absolute(url: str) -> bool:
    for scheme in _LOCAL:
        url = url.removeprefix(f"{scheme}://")
    return url.startswith("/") or PurePath(url).is_absolute()

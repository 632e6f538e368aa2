"""Which application gets a request: bindings, then modes at paths of their own, then `/-/…`,
then claims, then the default.

A binding is a door of its own by host, port and path prefix; what has more of
these wins, a longer prefix before a shorter one, and a host before all below a
domain (`*.domain`), of which the longest wins. Below it there are no pages
of the gateway's own and no claims: `/-/health` is a key like any other there,
and so it is in a bucket that is addressed by its host name. A mode that is about one service
gets what its bindings give it, and claims nothing: they say of which.

Before all of them, and only while an authority asks for it, comes what proves to it that a host
name leads here (RFC 8555 §8.3).

A mode's own paths (`AtPaths`) are on the gateway's own names. What it does not claim of what
comes there goes on as if it had none: a bucket may be called as a path begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from gateway.common.host_patterns import patterns_of
from gateway.config import Binding
from gateway.modes import AtPaths, CountedApart, Mode, OfOneService, WSGIApp
from gateway.web import request_head
from gateway.web.health import proving

OWN = "/-/"
ROOT = "/"
"""As a mode's path it is that one alone: all others are below it."""

_ANY = ("",)
"""What bindings of every host are found by, behind all others."""

PROOFS = "/.well-known/acme-challenge/"

Claims = Callable[[dict[str, Any]], bool]
Proofs = Callable[[str, str], str | None]
"""What proves, for a host at a token, that it leads here; None: that is not asked for now."""


@dataclass(frozen=True, slots=True)
class Door:
    """`mode` is the name that logs and metrics have; `binding` is None for an open door, of which
    `port` ("": any) and `prefix` (without a slash at its end) are as a request has them.
    `service`: the one that is meant, if that is known; `counted_as`: see `Record`."""

    mode: str
    app: WSGIApp
    binding: Binding | None = None
    port: str = ""
    prefix: str = ""
    service: str = ""
    counted_as: str = ""

    @classmethod
    def bound(cls, binding: Binding, app: WSGIApp) -> Door:
        options = binding.options
        return cls(
            binding.mode,
            app,
            binding,
            "" if binding.port is None else str(binding.port),
            binding.prefix.rstrip("/"),
            binding.service,
            options.counted_as if isinstance(options, CountedApart) else "",
        )


def _rank(door: Door) -> tuple[bool, bool, int]:
    binding = door.binding
    assert binding is not None
    return binding.host is not None, binding.port is not None, len(binding.prefix)


class Doors:
    """`apps` are the modes' applications by name, `own` the one for `/-/…` or None; `proofs`: see
    above, None where no authority is known."""

    def __init__(
        self,
        modes: Sequence[Mode],
        apps: Mapping[str, WSGIApp],
        *,
        default: str,
        bindings: Sequence[Binding] = (),
        domains: Sequence[str] = (),
        own: WSGIApp | None = None,
        proofs: Proofs | None = None,
    ) -> None:
        self._proofs = proofs
        self._apps, self._bindings = apps, tuple(bindings)
        self._bound: Sequence[Door] = ()
        self.bind(())
        self._at_paths = _at_paths(modes, apps)
        self._own = None if own is None else Door("gateway", own)
        paths = [path for path, _, _ in self._at_paths if path != ROOT]
        self._beginnings = (*paths, OWN) if self._own else (*paths,)
        self._root = ROOT if len(paths) < len(self._at_paths) else None
        if modes and modes[-1].name == default:  # it gets what nobody claims, asked or not
            modes = modes[:-1]
        asked = [mode for mode in modes if not isinstance(mode, OfOneService | AtPaths)]
        self._claims = [(mode.claims, Door(mode.name, apps[mode.name])) for mode in asked]
        self._default = Door(default, apps[default])
        self._below = tuple(f".{domain}" for domain in domains)

    def bind(self, more: Sequence[Binding]) -> None:
        """Have these besides the ones that it was made with, which come first. `named` are the
        names under which their requests count. A binding that it has already has its door: there
        may be thousands, of which one is new."""
        known = [one for one in (*self._bindings, *more) if one.mode in self._apps]
        before = {id(door.binding): door for door in self._bound}
        bound = [before.get(id(one)) or Door.bound(one, self._apps[one.mode]) for one in known]
        self._bound = bound
        self.named = frozenset(name for one in bound for name in (one.service, one.counted_as))
        by_host: dict[str, list[Door]] = {}
        for door in sorted(bound, key=_rank, reverse=True):
            assert door.binding is not None
            by_host.setdefault(door.binding.host or "", []).append(door)
        self._by_host = by_host

    def choose(self, environ: dict[str, Any]) -> Door:
        """The door; a binding is put into `environ["gateway.binding"]`, and its prefix, as a
        mode's own path, moved from PATH_INFO to SCRIPT_NAME."""
        proofs = self._proofs
        if proofs is not None and environ["PATH_INFO"].startswith(PROOFS):
            proof = proofs(request_head.host(environ), environ["PATH_INFO"][len(PROOFS) :])
            if proof is not None:
                return Door("gateway", proving(proof))
        by_host = self._by_host
        if by_host and (bound := _bound(by_host, environ)) is not None:
            return bound
        path = environ["PATH_INFO"]
        if (path.startswith(self._beginnings) or path == self._root) and (
            found := self._at_path(environ, path)
        ) is not None:
            return found
        for claims, door in self._claims:
            if claims(environ):
                return door
        return self._default

    def _at_path(self, environ: dict[str, Any], path: str) -> Door | None:
        """Who has that path on the gateway's own names."""
        if self._below and request_head.host(environ).endswith(self._below):
            return None  # a key of a bucket
        for own, claims, door in self._at_paths:
            here = path == ROOT if own == ROOT else _within(path, own)
            if here and claims(environ):
                _enter(environ, door.prefix)
                return door
        return self._own if path.startswith(OWN) else None


def _at_paths(
    modes: Sequence[Mode], apps: Mapping[str, WSGIApp]
) -> Sequence[tuple[str, Claims, Door]]:
    """Paths of modes, the longest first."""
    found = [
        (path, mode.claims, Door(mode.name, apps[mode.name], prefix=path.rstrip("/")))
        for mode in modes
        if isinstance(mode, AtPaths)
        for path in mode.paths
    ]
    return sorted(found, key=lambda one: len(one[0]), reverse=True)


def _within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _enter(environ: dict[str, Any], prefix: str) -> None:
    if prefix:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = prefix, environ["PATH_INFO"][len(prefix) :]


def _bound(by_host: Mapping[str, Sequence[Door]], environ: dict[str, Any]) -> Door | None:
    port, path = environ.get("SERVER_PORT", ""), environ["PATH_INFO"]
    for host in chain(patterns_of(request_head.host(environ)), _ANY):
        for door in by_host.get(host, ()):
            if door.port and door.port != port:
                continue
            prefix = door.prefix
            if prefix and not _within(path, prefix):
                continue
            environ["gateway.binding"] = door.binding
            _enter(environ, prefix)
            return door
    return None

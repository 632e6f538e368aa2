"""How a driver says what its options mean, beyond their types.

A driver is a dataclass and its fields are its options; the configuration is
decoded from the fields' annotations. These marks go into `typing.Annotated`:

    max_size: Annotated[int, Size] = 20 << 30                 # "20GiB", or bytes
    refresh_after: Annotated[float, Duration] = 600.0         # "10m", or seconds
    keep_versions: Literal["forever", "off"] | Annotated[float, Duration] = "forever"
    connections: Annotated[int, AtLeast(1)] = 8
    ca_file: Annotated[Path, ExistingFile] | None = None
    hosts: Annotated[tuple[str, ...], OneOrMany] = ()         # one, or a list
    client: Annotated[Mapping[str, Any], Secrets] = …         # client = { token_env = "TOKEN" }

Understood without a mark: str, int, float, bool, Path (relative to the
configuration file), Literal, `Secret` (given as `x`, `x_env` or `x_file`),
IP networks, tuples, lists and mappings of these, dataclasses (tables), unions
with these and None (the option may be left out), and `Store`: the id of
another service. Fields with `init=False` or a leading underscore are no options.
"""

from __future__ import annotations

from dataclasses import dataclass


class Size:
    """The int is a number of bytes, and may be written as "64KiB"."""


class Duration:
    """The float is a number of seconds, and may be written as "10m"."""


class ExistingFile:
    """The path is a file that must be there when the configuration is read."""


class OneOrMany:
    """The tuple may be written as a single value."""


class Secrets:
    """The mapping's values, and those of mappings in it, may also be given as `x_env` or
    `x_file`: then they are `Secret` there, as `x`."""


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The number may not be smaller."""

    minimum: int

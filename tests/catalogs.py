"""What catalogs tests run on: a file, memory and, where there is one for tests, PostgreSQL.

`GATEWAY_TEST_POSTGRES=postgresql+psycopg://…` names a database in which tests may do what
they like. Each process of pytest has a schema of its own there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text

from gateway.catalog import Catalog, database, postgres
from gateway.catalog.keys import Declarations
from gateway.catalog.secrets import Keyring
from gateway.storage import Secret

POSTGRES = os.environ.get("GATEWAY_TEST_POSTGRES", "")
SHARED = ["sqlite", *(["postgres"] if POSTGRES else [])]
"""Those that several processes may have open."""

KINDS = [*SHARED, "memory"]
QUICK = ["memory", *SHARED[1:]]
"""One of each dialect."""

_SCHEMA = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
_OPTIONS = f"-c search_path={_SCHEMA}"


def table(kind: str) -> str:
    """A configuration's `[catalog]`. What was in PostgreSQL is gone."""
    if kind != "postgres":
        return ""
    _empty()
    return _table(_url())


def opened(
    kind: str,
    folder: Path,
    declared: Declarations,
    clock: Callable[[], int],
    keyring: Keyring,
) -> Catalog:
    """One without a configuration. What is in PostgreSQL stays, as what is in the folder."""
    if kind == "memory":
        made = database.open_memory()
    elif kind == "sqlite":
        made = database.open_file(folder)
    else:
        made = postgres.open_postgres(Secret(_url().render_as_string(hide_password=False)))
    return Catalog(made, keyring, declared, clock=clock)


def empty(kind: str) -> None:
    if kind == "postgres":
        _empty()


def read_only() -> str:
    """The same in PostgreSQL, as it is, for who may change nothing."""
    options = f"{_OPTIONS} -c default_transaction_read_only=on"
    return _table(_url().update_query_dict({"options": options}))


def without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is asked each time, and not each half second, whether somebody wrote."""
    monkeypatch.setattr(postgres, "_POLL", 0.0)


def engine(kind: str, data: Path | None) -> Engine:
    """To look at the tables."""
    if kind == "postgres":
        return create_engine(_url())
    assert data is not None
    return create_engine(f"sqlite:///{data / 'catalog.db'}")


def _table(url: URL) -> str:
    return f"[catalog]\nurl = '{url.render_as_string(hide_password=False)}'\n"


def _url() -> URL:
    return make_url(POSTGRES).update_query_dict({"options": _OPTIONS})


def _empty() -> None:
    """Whoever still has a transaction there is a test that left it: that is said."""
    engine = create_engine(POSTGRES)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '30s'"))
        connection.execute(text(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {_SCHEMA}"))
    engine.dispose()

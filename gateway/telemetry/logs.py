"""The gateway's own log, on stderr or in a file: text, or one JSON object for each entry.

What is logged are errors with the id of their request; a traceback shows
lines of code and never values, so nothing secret gets here by accident.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from gateway.telemetry.log_file import LogFile

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Lines(Protocol):
    """Where lines go: each call has whole ones. Raises `OSError` when they are lost."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


class _FileHandler(logging.Handler):
    """What it cannot write is lost: the file has said so."""

    def __init__(self, file: LogFile) -> None:
        super().__init__()
        self._log_file = file

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._log_file.write(self.format(record) + "\n")
        except OSError:
            pass
        except Exception:  # an entry that cannot be made must not fail what it tells of
            self.handleError(record)

    def close(self) -> None:
        self._log_file.close()
        super().close()


def configure(
    form: str, file: Path | None = None, max_size: int = 0, keep: int = 1, *, strict: bool = False
) -> Lines:
    """Send the log of this process to stderr, or to a `file` (see `LogFile`), as "text" or
    "json". Returns where that is, for other lines. `strict`: raises `OSError` when it cannot be
    opened; else what is written is lost until it can."""
    lines: Lines = sys.stderr
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file is not None:
        lines = log_file = LogFile(file, max_size, keep)
        if strict:
            log_file.open()
        handler = _FileHandler(log_file)
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("gateway").setLevel(logging.INFO)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # one line per waiting request
    logging.getLogger("botocore.credentials").setLevel(logging.ERROR)  # drivers/s3 says it
    return lines


def in_file() -> bool:
    """Whether the log of this process goes to a file, and not to stderr."""
    return any(isinstance(one, _FileHandler) for one in logging.getLogger().handlers)

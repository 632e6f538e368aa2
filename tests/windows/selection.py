"""Which tests run in Windows' Python: each promise once, on what Windows has to do with: files,
folders, paths, names, locks, processes, sockets, clocks, encodings.

All of them would run there. Below Wine each takes five times as long as elsewhere, and what
knows no system (policies, documents, pages) is tested on others. On Windows run all.
"""

from __future__ import annotations

INSIDE: dict[str, tuple[str, ...]] = {
    # what is looked at: folders, files, or beginnings of names of tests
    "the kit: local": ("tests/conformance/test_local.py::TestLocal",),
    "the kit: memory": ("tests/conformance/test_memory.py::TestMemory",),
    "the kit: cache": ("tests/conformance/test_cache.py::TestOnDiskOverFiles",),
    "the kit: fsspec, file://": ("tests/conformance/test_fsspec.py::TestFiles",),
    "the kit: s3, in front of this gateway": (
        "tests/conformance/test_s3.py::TestObjectLock",
        "tests/conformance/test_s3.py::TestBelowAPrefix",
        "tests/conformance/test_s3.py::TestAccount",
    ),
    "the engine": ("tests/engine",),
    "caches": (
        "tests/layers/test_cache_rot.py",
        "tests/layers/test_cache_space.py",
    ),
    "folders as others fill them": ("tests/filesystems/test_files.py",),
    "modes": (
        "tests/modes/ftp",
        "tests/modes/test_case.py",
        "tests/modes/test_s3_bodies.py",
        "tests/modes/test_s3_multipart.py",
        "tests/modes/test_s3_objects.py",
        "tests/modes/test_standard_files.py",
    ),
    "configuration and command line": (
        "tests/test_cli.py",
        "tests/test_config.py",
        "tests/test_log.py",
        "tests/test_log_file.py",
        "tests/test_reload.py",
        "tests/test_scrub.py",
        "tests/test_sqlite_files.py",
        "tests/test_surroundings.py",
    ),
    "servers": (
        "tests/libraries",
        "tests/test_certificates.py",
        "tests/test_left_open.py",
        "tests/test_open_files.py",
        "tests/test_outgoing.py",
        "tests/test_server.py",
        "tests/test_servers.py",
        "tests/test_serving.py",
    ),
}

LEFT_OUT: dict[str, str] = {
    # of these, and why
    "tests/engine/test_faults.py": "the calls of other systems, one by one",
    "tests/engine/test_listing_cost.py": "counts steps of SQLite, which are the same",
    "tests/libraries/test_bounds.py": "reads the sources",
    "tests/libraries/test_granian.py": "granian is not for Windows",
}

MARKED = ("-m", "not hypothesis")
"""Examples by the hundred find what is alike everywhere; looking for constants in all modules
alone takes half a minute of each process there."""

NO_RESET = "Wine 8 closes each connection in order, where Windows resets it when it is asked to"
NOT_UNDER_WINE: dict[str, str] = {
    # of these, what holds on Windows, and why not here
    "tests/modes/ftp/test_connections.py::test_a_transfer_hears_abor_while_it_sends": NO_RESET,
    "tests/modes/ftp/test_uploads.py::test_a_read_that_breaks_off_tells_its_client": NO_RESET,
    "tests/modes/ftp/test_uploads.py::test_what_breaks_off_leaves_all_as_it_was[APPE-cut": NO_RESET,
    "tests/modes/ftp/test_uploads.py::test_what_breaks_off_leaves_all_as_it_was[REST": NO_RESET,
    "tests/modes/ftp/test_uploads.py::test_what_breaks_off_leaves_all_as_it_was[STOR-cut": NO_RESET,
}


def arguments() -> list[str]:
    """For pytest."""
    left = {**LEFT_OUT, **NOT_UNDER_WINE}
    options = [f"--deselect={one}" if "::" in one else f"--ignore={one}" for one in left]
    return [*MARKED, *options, *(path for paths in INSIDE.values() for path in paths)]

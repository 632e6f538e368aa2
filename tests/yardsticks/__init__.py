"""Suites that others wrote, run against the gateway: how faithful is its S3?

They are fetched, and no part of this project: here are their runners, and the names of the
tests that pass. A run fails where one of these fails, and where another passes: then the
list is to be written anew (`--record`). `python -m tests.yardsticks -h`, and CONTRIBUTING.md.
"""

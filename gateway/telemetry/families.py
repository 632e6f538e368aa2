"""What is measured: each name with its help and its labels, as Prometheus is told them.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.telemetry import traffic

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Seconds up to which durations are counted together."""


class Family(NamedTuple):
    help: str
    labels: tuple[str, ...] = ()


COUNTERS: Mapping[str, Family] = {
    "gateway_requests": Family("Requests answered.", ("mode", "operation", "method", "status")),
    "gateway_received_bytes": Family("Bytes of request bodies.", ("mode",)),
    "gateway_sent_bytes": Family("Bytes of answers' bodies.", ("mode",)),
    traffic.REQUESTS: Family("Requests answered about a service.", ("service", "status")),
    traffic.RECEIVED: Family("Bytes of request bodies for a service.", ("service",)),
    traffic.SENT: Family("Bytes of answers' bodies from a service.", ("service",)),
    "gateway_aborted": Family("Answers that broke off.", ("mode",)),
    "gateway_corrupt": Family("Answers that damaged bytes of a store ended.", ("mode",)),
    "gateway_cache_answers": Family(
        "Reads that a cache answered: hit, stale, miss, collapsed (it waited for another's miss),"
        " bypass.",
        ("cache", "outcome"),
    ),
    "gateway_cache_saved_bytes": Family("Bytes that came out of a cache.", ("cache",)),
    "gateway_cache_fills": Family("Reads of what is behind a cache.", ("cache",)),
    "gateway_cache_fill_seconds": Family("Time that they took.", ("cache",)),
    "gateway_cache_evicted_bytes": Family("Bytes that made room for others.", ("cache",)),
    "gateway_origin_failures": Family(
        "Times that an HTTP origin gave no answer, or 502, 503, 504.", ("service", "origin")
    ),
    "gateway_origin_passed_over": Family(
        "Times that others were asked in its place for a while.", ("service", "origin")
    ),
    "gateway_refused": Family("Requests refused because too many clients were slow."),
    "gateway_log_lines_shed": Family("Lines of the access log dropped under overload."),
    "gateway_bucket_log_lines_shed": Family("Lines of buckets' access logs that were dropped."),
    "gateway_request_list_shed": Family("Requests that reqlist does not show, under overload."),
    "gateway_job_runs": Family("Runs of background jobs.", ("job",)),
    "gateway_job_failures": Family("Runs of background jobs that failed.", ("job",)),
    "gateway_job_seconds": Family("Time spent in background jobs.", ("job",)),
    "gateway_job_results": Family("What background jobs did.", ("job", "what")),
    "gateway_follower_changes": Family("Changes that followers have handled.", ("follower",)),
    "gateway_follower_repeated": Family("Changes handed to followers again.", ("follower",)),
    "gateway_follower_resets": Family("Changes were gone before they came.", ("follower",)),
    "gateway_follower_failures": Family("Times that a follower failed.", ("follower",)),
}
GAUGES: Mapping[str, Family] = {
    "gateway_requests_in_flight": Family("Requests being answered now."),
    "gateway_slow_places_held": Family("Threads that wait for their client's bytes now."),
    "gateway_job_failing": Family("1: its last run failed.", ("job",)),
    "gateway_job_next_run_timestamp_seconds": Family("When it is to run.", ("job",)),
    "gateway_job_progress": Family("What its last run has done, as far as it told.", ("job",)),
    "gateway_job_progress_total": Family("What that is to become, if known.", ("job",)),
    "gateway_follower_lag": Family("Changes that are not handled yet.", ("follower",)),
    "gateway_follower_lag_seconds": Family("Age of the oldest of them.", ("follower",)),
    "gateway_follower_failing": Family("Failures in a row; 0: all is well.", ("follower",)),
    "gateway_follower_next_try_timestamp_seconds": Family(
        "When a follower that failed tries again.", ("follower",)
    ),
    "gateway_certificate_expires_timestamp_seconds": Family(
        "When an added certificate is over.", ("certificate",)
    ),
    "gateway_certificate_orders": Family(
        "Certificates that an authority is to give: waiting, ordering, issued, failed.", ("state",)
    ),
}
DURATION = "gateway_request_duration_seconds"

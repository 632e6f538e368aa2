"""The gateway measured beside its peers: `python -m benchmarks`, see README.md.

What is compared never imports the gateway: it is started as a program and spoken to over
a socket, as its peers are, so that all are measured by the same means. Only what looks
into the gateway itself does: `profiling` (its stages) and `scale` (to make credentials).
"""

"""The gateway measured beside its peers: `python -m benchmarks`, see README.md.

Nothing here imports the gateway: it is started as a program and spoken to over
a socket, as its peers are, so that all are measured by the same means.
"""

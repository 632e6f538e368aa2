"""Certificates that an authority gives by ACME (RFC 8555).

`ordering.py` is what modes and commands see, `carrying_out.py` the job that does it, `step.py`
one step of an order, `authority.py` the authority, `answers.py` what it answers that is no step
further, `tries.py` when a try may follow another, `names.py` for which names the configuration
asks.
"""

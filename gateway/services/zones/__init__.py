"""Zones. `documents.py` says what may be asked for, `parts.py` what a zone is made of, `names.py`
which names it may have and ask; `zones.py` is what modes get. All but the last are pure.
"""

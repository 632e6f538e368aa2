"""What we stand on of other people's code, beyond what it documents: one test for each library.

They run first (`tests/conftest.py`), so that when a new version has moved something, the first
failure says what, and which file of ours stands on it.
"""

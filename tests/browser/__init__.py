"""Pages in a real browser: Debian's Chromium, driven by Playwright, and looked at by axe.

`demonstration.py` has a gateway with something in it, `watching.py` what a page must not do, and
`conftest.py` the fixtures. `python -m tests.browser pictures FOLDER` writes pictures of all pages,
and `for_readme.py` those of README.md.
"""

"""Real clients, each of which does its whole life against both servers, by http and by https:
`python -m tests clients [NAME …]`.

They are installed as their users install them, each into a folder of its own (`--into`), from
the registries of their languages; what needs a toolchain that is not there is skipped, and
said. A client is a row of `kinds.CLIENTS`, and a program in `programs`.
"""

"""`python -m tests windows`: the gateway in Windows' Python, here, under Wine.

It is CPython 3.13 for Windows with the project's wheel and what its tests need, in a folder
that is kept. What is Windows' there is real: the Python and its standard library, names and
paths, locks, files that nobody can remove while they are open, processes that are ended by
`TerminateProcess`. What is Wine's is speed, rights, the console and the kernel below.
"""

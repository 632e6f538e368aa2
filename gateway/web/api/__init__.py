"""An API that is a table of functions: what one is, how its parameters are read, and the
documents that are made of it (OpenAPI, and the page that explains, shows and tries).

A mode brings its table (`table.Api`) and its handlers, and nothing is written twice.
"""

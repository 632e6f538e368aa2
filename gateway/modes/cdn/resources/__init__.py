"""The handlers, a file for each kind of thing."""

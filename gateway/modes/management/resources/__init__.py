"""The handlers, a file for each kind of thing that there is."""

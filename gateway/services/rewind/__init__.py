"""A service as it was at a point of its change feed, by new versions: `deciding` says what that
takes, `carrying_out` does it."""

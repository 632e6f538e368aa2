"""What becomes of objects with time: `deciding` says it, `carrying_out` does it, `expiration`
tells clients beforehand. What rules say is in `configuration.lifecycle`."""

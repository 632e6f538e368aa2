"""What each function does: parse → access → render."""

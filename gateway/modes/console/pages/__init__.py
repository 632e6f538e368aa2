"""The pages' handlers: each file ends in its rows of the table."""

"""The rows of the table, a file for each area of the interface."""

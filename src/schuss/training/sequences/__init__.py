"""Sequences: rows of tables that belong together, in their order; one answer for each sequence."""

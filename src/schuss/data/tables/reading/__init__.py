"""Reading tables: delimited text, JSON lines, frames, arrays, Arrow's formats."""

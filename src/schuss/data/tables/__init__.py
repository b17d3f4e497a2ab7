"""Tables: named columns, what each of them is, and reading the values of text."""

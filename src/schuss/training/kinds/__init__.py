"""Kinds of data: what `train` can learn from, behind one interface, and the calls for all."""

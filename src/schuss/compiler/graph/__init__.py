"""Graphs, views, partitions and the ABI of programs: the words that all stages speak."""

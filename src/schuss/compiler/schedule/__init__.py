"""From a graph to stages, threads and bytes."""

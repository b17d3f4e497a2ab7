"""A Python call becomes a graph."""

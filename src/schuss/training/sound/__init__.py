"""Recordings: from a folder of sound files to a trained network."""

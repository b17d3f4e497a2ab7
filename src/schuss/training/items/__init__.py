"""Kinds of data whose examples are files with a label each: scan, cache, batches, training."""

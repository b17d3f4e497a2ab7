"""Files as examples: found in folders, archives and tables of paths, with a label each."""

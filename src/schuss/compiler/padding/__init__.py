"""One program for many lengths of an axis: arguments are padded, what would see it is masked."""

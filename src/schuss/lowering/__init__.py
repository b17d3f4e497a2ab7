"""What a primitive's `lower=` may use: kinds of lowering, scalars and vectors as LLVM text."""

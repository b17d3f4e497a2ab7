"""From stages to LLVM text."""

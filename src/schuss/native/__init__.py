"""From LLVM text to machine code that runs: target, compilation, the cache on disk, CPython."""

"""From LLVM text to machine code that runs, with a cache on disk; and CPython's objects."""

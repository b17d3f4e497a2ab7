"""Scripts that import PyTorch are run by the test, and are no modules of documentation."""

collect_ignore_glob = ["scripts/*"]

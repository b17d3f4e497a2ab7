"""What is no elementwise loop: one file a kernel."""

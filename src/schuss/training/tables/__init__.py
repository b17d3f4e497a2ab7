"""Tables: from a file, a frame or arrays to a trained network, and its use on new rows."""

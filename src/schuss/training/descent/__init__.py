"""One step downhill, many of them in one native call, and what steers and watches them."""

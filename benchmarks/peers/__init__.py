"""The same training steps, driven by each library: what `step.py` and its neighbours compare."""

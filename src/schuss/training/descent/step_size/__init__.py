"""The step size that a training finds by itself: a range test, races, and what they tell."""

"""Getting out of bad basins: many starts side by side in one native program, losers dropped."""

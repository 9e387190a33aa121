"""Whatever comes from outside, changed at random: one module for each door, and what throws at it."""

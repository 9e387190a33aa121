"""Where safe frames go."""

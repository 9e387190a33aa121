"""The page for people: the live filtered picture, the state, and the effect's settings."""

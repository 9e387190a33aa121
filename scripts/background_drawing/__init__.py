"""Draws the backgrounds that come with scrim; used by ``scripts/build-backgrounds``."""

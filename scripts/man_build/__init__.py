"""scrim's manual pages, made from its argument parsers and its settings."""

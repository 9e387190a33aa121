"""``scrim setup``: asks at a terminal what a first start needs, and writes it into the settings file."""

"""What may go wrong while building."""


class BuildError(Exception):
    """The models cannot be built; the text is meant for a person."""

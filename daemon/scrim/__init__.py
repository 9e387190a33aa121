"""scrim: a webcam that shows the person and not the room."""

__version__ = "0.1.0"

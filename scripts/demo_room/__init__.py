"""The room of the demo camera."""

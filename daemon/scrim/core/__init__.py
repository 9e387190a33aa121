"""The process that sees the camera. It has no network."""

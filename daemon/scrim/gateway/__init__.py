"""The process that sees the network. It has no camera."""

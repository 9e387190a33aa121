"""Auto-framing: the picture follows the person. It learns from mattes alone, never from the room's pixels."""

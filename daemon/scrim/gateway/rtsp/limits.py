"""What clients may take, of time and of room."""

MAX_CLIENTS = 16
MAX_BODY_BYTES = 16 * 1024
"""Of a request; what the server reads of its head is limited by GStreamer."""

SESSION_S = 18
GRACE_S = 4
CLEAN_S = 2
"""A client is asked to say within ``SESSION_S`` that it is there; it is gone after all three together."""

STALL_S = 20
"""A connection that takes no byte for this long, or is not there any more, is closed by the kernel."""

UNSENT_BYTES = 256 * 1024
"""What the kernel keeps for a client that is slow: less than a second of the stream."""

IDLE_S = 20
"""A connection without a session is closed after this."""

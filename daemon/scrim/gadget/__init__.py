"""Makes the board a USB webcam for a host: sets the kernel's gadget up, takes it down, says how it is.

This is root's work, done by ``scrim gadget`` in a process of its own: the core only opens the video node.
"""

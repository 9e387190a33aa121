"""``scrim bench``: what a frame costs on this machine.

``command``         takes the options, starts one worker per thing measured, takes turns with them, prints
``clip``            the footage as raw frames in a temporary file that every worker maps
``worker``          measures scrim itself
``mediapipe_loop``  measures MediaPipe's own loop, in whatever Python has MediaPipe
"""

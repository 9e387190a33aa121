"""The picture as an RTSP stream, encoded by GStreamer in a child process of the gateway.

``part``    the gateway's side: starts the child, brings it the frame feed, starts it again when it ends
``plan``    what the settings ask for, checked; it is all that the child is told
``limits``  what clients may take
``feeder``  brings the frame feed to the child
``line``    the words between the two, and the descriptors that come with them
``child``   the other side, in whatever Python has GStreamer's bindings; it knows no NumPy
``support`` whether this machine can, with which encoder, and what is missing
"""

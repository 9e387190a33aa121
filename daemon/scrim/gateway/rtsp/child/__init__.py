"""The process that GStreamer runs in. It has the frame feed and the network, and no way to the core.

``launch``      is run as a script; makes ``scrim`` importable and nothing else
``main``        builds everything, runs GLib's loop, ends with the gateway
``gst``         the bindings, and the few plugins that are loaded
``encoders``    which H.264 encoders there are, and how each is set up
``pictures``    the frame feed as GStreamer's buffers
``placeholder`` what is shown without a feed
``encoder``     one encoding pipeline for everybody
``taps``        where encoded units go: to the server's clients, to the publisher
``stream``      feed, placeholder, encoder and taps together; idle while nobody watches
``server``      RTSP for clients that come
``publisher``   RTSP to a server elsewhere
"""

"""The wall between the two processes: one UNIX socket, and a shared-memory feed of safe frames.

``server``   the core's end: requests, events, subscribers of the feed
``client``   a blocking client, for ``scrim ctl`` and tests
``asynchronous``  the same calls for asyncio, for the gateway
``feed``     who writes the feed and who reads it
``ring``     how the feed lies in memory
``messages`` the lines on the socket
``status``   the shape of the answer to ``status``
``place``    where the socket lies
"""

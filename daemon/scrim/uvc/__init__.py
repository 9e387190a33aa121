"""The USB Video Class as a camera speaks it: what is offered, and the answers to a host's requests.

Nothing here touches a device: bytes come in, bytes go out. Section numbers are those of the "Universal Serial
Bus Device Class Definition for Video Devices", revision 1.1.
"""

FUNCTION_NAME = "uvc.scrim"
"""What the camera is called among a gadget's functions."""

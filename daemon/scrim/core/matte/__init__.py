"""From the model's mask to an alpha matte at frame size: calm in time, edges where the picture has them.

``grid``      the two working grids between mask and frame, and windows on them
``temporal``  the motion-adaptive average at mask size
``guided``    the two-guide filter that moves the mask's edge to the picture's edge
``maker``     MatteMaker: one mask and one frame in, one Matte out
"""

from scrim.core.matte.maker import MatteMaker

__all__ = ["MatteMaker"]

"""Hours' worth of frames, as fast as the machine makes them."""

"""``scrim fleet``: many devices, seen and changed through their MQTT broker."""

"""How a raw frame becomes a safe one: backgrounds, the blend, the placeholder and the door they share."""

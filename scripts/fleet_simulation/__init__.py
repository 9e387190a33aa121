"""A thousand devices at one broker: the gateway's own MQTT part for each, over cores that do nothing."""

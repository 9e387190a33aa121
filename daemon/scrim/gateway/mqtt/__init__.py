"""MQTT: what the device says of itself, and what may be asked of it. docs/mqtt.md is the contract.

paho's thread only puts what comes into a bounded mailbox; everything else is done in the gateway's loop.
"""

"""Faults at random times on a real core and a real gateway, with a leak detector at every output."""

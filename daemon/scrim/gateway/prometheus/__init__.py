"""Figures for Prometheus: what the core and the gateway count, under Prometheus' own conventions of names."""

"""scrim as an appliance: installed, run and removed in the guest's own Debian 13, by its own systemd."""

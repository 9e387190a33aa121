"""What scrim is made of: the SBOM, the audit of it, and a release."""

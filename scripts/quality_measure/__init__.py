"""How good the mattes are: ``scripts/quality`` measures them on footage given on the command line."""

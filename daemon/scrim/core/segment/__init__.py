"""Who in the small picture is the person: models and the runtimes that run them."""

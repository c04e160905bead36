"""A seeded soak: everything a loop does, at random, with an exact account."""

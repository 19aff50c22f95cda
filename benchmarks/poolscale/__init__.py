"""What the scoring benchmark is made of: the pool, the loops that users write, the base alone."""

"""What the benchmark of the mixture's forward is made of: the systems, and what is measured of each."""

"""What a workflow does with an expert: see whether it is fresh, check its shots, rebuild it, publish it, tell of it."""

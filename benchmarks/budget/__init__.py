"""What the scoring budget saves and costs: simulated answers, methods, real scores replayed."""

"""Open Knowledge (arXiv 2408.15915), models: score the pool on the shots, compare adapters, select a diverse group."""

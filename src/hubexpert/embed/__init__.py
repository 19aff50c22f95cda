"""Texts as vectors: the door to sentence encoders, vectors on disk, and the search among them."""

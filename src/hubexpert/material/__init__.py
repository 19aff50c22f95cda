"""Rows of open datasets, made ready for the methods that choose among them, and the account of what came of each."""

from hubexpert.material.free import free_rows, values
from hubexpert.material.gathered import Material, material
from hubexpert.material.report import reported, without_leaks

__all__ = ["Material", "free_rows", "material", "reported", "values", "without_leaks"]

"""`python -m hubexpert`."""

from hubexpert.cli.main import main

main()

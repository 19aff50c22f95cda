"""What measurements at the Hub's scale are made of."""

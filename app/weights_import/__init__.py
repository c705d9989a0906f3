"""Importing the weights that other programs made: the papers' own releases."""

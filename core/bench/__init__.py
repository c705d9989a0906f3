"""`python -m core.bench`: how fast this is, beside the plain procedure of the papers."""

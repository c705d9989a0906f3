"""Networks and the specs that describe them."""

"""Palettes in the window: choosing, pinning, editing and converting them."""

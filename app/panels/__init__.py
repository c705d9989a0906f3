"""The widgets around the canvas: they show state and report wishes, and hold none of their own."""

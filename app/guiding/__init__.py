"""What pictures should be like beside the layout: words and reference pictures, in the window."""

"""A model of one's own, from the window: the set of scenes and photos, and the training on it."""

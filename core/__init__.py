"""The models and everything that runs them: torch, numpy, OpenCV; never Qt."""

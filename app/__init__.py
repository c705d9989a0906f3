"""The window: Qt and numpy, never torch."""

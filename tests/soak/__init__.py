"""The real window under a scripted hand, for minutes or hours: what grows, leaks or waits."""

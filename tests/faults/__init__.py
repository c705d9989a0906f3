"""What may break around the program, and that it goes on: docs/reliability.md lists it."""

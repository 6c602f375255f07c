"""The answer: what is said of it, what it looked at, how it is saved."""

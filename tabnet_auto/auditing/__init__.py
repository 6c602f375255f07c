"""What the data say against a fit before anything is trained."""

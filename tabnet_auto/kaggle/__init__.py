"""What a competition needs around a model: a checked submission file."""

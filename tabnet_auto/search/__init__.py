"""Search for better settings, on rows that no reported score is of."""

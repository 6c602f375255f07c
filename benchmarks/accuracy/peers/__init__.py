"""Other systems, each with its best documented defaults; benchmark dependencies only."""

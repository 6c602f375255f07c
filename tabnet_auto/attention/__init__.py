"""What the networks looked at: per fold, step and row, how stable, and whether it is true."""

"""Training and prediction of all members in one batched network."""

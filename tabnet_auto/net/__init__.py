"""The batched network: torch only, every tensor with a leading member axis."""

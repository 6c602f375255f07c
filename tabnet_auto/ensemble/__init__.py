"""From the models' out-of-fold predictions to the blend, and its honest score."""

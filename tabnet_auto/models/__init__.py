"""The models of a run: trained, held-out rows predicted, blended; once, or again with more rows."""

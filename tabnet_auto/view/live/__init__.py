"""The dashboard in a notebook: a state, numbers made from it, drawings made from these."""

"""Companions: scikit-learn estimators and boosters in the networks' own folds."""

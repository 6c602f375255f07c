"""A competition from train, test and sample_submission to a checked file.

Change the three paths and the target; everything else stays. Runs offline.
"""

import pandas as pd

from tabnet_auto import auto_fit
from tabnet_auto.data import titanic_path

train = pd.read_csv(titanic_path("train"))
test = pd.read_csv(titanic_path("test"))
sample = pd.read_csv(titanic_path("sample_submission"))

# Giving the test rows lets a missing column show before the training, not after it.
fit = auto_fit(train, "survived", test=test, metric="accuracy", preset="fast")
print(fit)

# Out-of-fold probabilities, aligned with train: what a blend with other models needs.
out_of_fold = pd.DataFrame(fit.oof, columns=[f"p_{label}" for label in fit.classes_])
out_of_fold.insert(0, "id", train["id"])
out_of_fold.to_csv("oof.csv", index=False)

submission = fit.submission(test, sample=sample, path="submission.csv")
assert list(submission.columns) == list(sample.columns)
assert len(submission) == len(sample)
print(submission.head())

fit.report("report.html")

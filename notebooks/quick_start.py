# %% [markdown]
# # Quick start
# One line from a table to a model, its out-of-fold scores, and what it looked at.
# The data is the Titanic passenger list that comes with the package.

# %%
import pandas as pd

from tabnet_auto import auto_fit, load
from tabnet_auto.data import titanic_path

train = pd.read_csv(titanic_path("train"))
fit = auto_fit(train, "survived", preset="fast")

# %% [markdown]
# The result shows itself: scores of every fold, the leaderboard, attention per fold.

# %%
fit

# %% [markdown]
# ## What the columns were taken for, and why
# `roles={"ticket": "drop"}` would overrule any of them.

# %%
print(fit.schema)

# %% [markdown]
# ## What the networks looked at
# Attention weights say what the model reads, not that it matters. So the table sets them
# beside the rise of the validation loss when a column is shuffled.

# %%
attention = pd.DataFrame(
    {
        "attention": fit.attention.per_fold.mean(),
        "between folds": fit.attention.per_fold.std(),
        "loss when shuffled": fit.attention.permutation(),
    }
).sort_values("attention", ascending=False)
attention.round(3)

# %%
fit.attention

# %% [markdown]
# ## Ask it
# Controls for fold, step and rows, what-if, cohorts and threshold; without a running kernel the
# whole report stands in for them, with explorers of its own.

# %%
fit.dashboard(train)

# %% [markdown]
# ## Predictions for new rows
# Labels come back as they were written; probabilities are in the order of `fit.classes_`.

# %%
test = pd.read_csv(titanic_path("test"))
pd.DataFrame(fit.predict_proba(test), columns=fit.classes_).head()

# %%
fit.submission(test, sample=titanic_path("sample_submission"), path="submission.csv").head()

# %% [markdown]
# ## Keep it
# A directory of JSON and safetensors, no pickle; and the whole report as one page.

# %%
fit.save("model")
assert (load("model").predict(test) == fit.predict(test)).all()
fit.report("report.html")

"""A first look at the lake, as a notebook: cells begin with `# %%`, as editors and Jupyter (by Jupytext) know them.

`python notebook.py DATA` runs it as a script. It needs Fairgate and scikit-learn, and a data folder that has some
events and labels; a service may be running on it.
"""

# %%
# ruff: noqa: T201 - a notebook shows what it finds
import sys
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fairgate

DATA = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("fairgate-data")
lake = fairgate.lake(DATA)
print(lake.tables())

# %% [markdown]
# ## Traffic by day, and what was decided

# %%
print(lake.sql("SELECT day, type, action, count(*) AS events FROM decisions GROUP BY ALL ORDER BY ALL"))

# %% [markdown]
# ## Hits per rule per day
# `silent` hits changed nothing: the rule is in shadow, outside its canary, switched off or capped.

# %%
print(lake.sql("SELECT day, rule, silent, count(*) AS hits FROM rules GROUP BY ALL ORDER BY day, hits DESC LIMIT 20"))

# %% [markdown]
# ## How right each rule is, by labels
# The latest label of an event counts. An event without a label is unknown, not good.

# %%
precision = lake.sql("""
    SELECT rule,
           count(*) AS hits,
           count(bad) AS labelled,
           avg(bad::INT) AS precision,
    FROM rules LEFT JOIN (FROM labels WHERE latest) AS label ON label.of = rules.id AND label.source = rules.source
    GROUP BY rule ORDER BY labelled DESC, hits DESC
""")
print(precision)

# %% [markdown]
# ## Recorded features by label
# Features are what the decision was made on, so there is nothing to join and nothing from the future.

# %%
EVENT_TYPE = "account.signup"
truth = lake.sql("SELECT of, source, bad FROM labels WHERE latest AND bad IS NOT NULL").lazy()
events = lake.frame(EVENT_TYPE).join(truth, left_on=["_id", "_source"], right_on=["of", "source"]).collect()
features = [name for name, kind in events.schema.items() if "(" in name and kind == pl.Float64]
spread = events.group_by("bad").agg(
    pl.len().alias("events"), *(pl.col(name).quantile(0.9).alias(f"p90 {name}") for name in features)
)
print(spread.transpose(include_header=True))

# %% [markdown]
# ## A simple model on recorded features
# Cross-validated over time-ordered blocks it would be stricter; this shows whether there is anything to learn.

# %%
labels = events["bad"].to_numpy()
values = np.nan_to_num(events.select(features).to_numpy())
model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000, class_weight="balanced"))
scores = cross_val_predict(model, values, labels, cv=3, method="predict_proba")[:, 1]
print(f"{EVENT_TYPE}: {len(labels)} labelled, {labels.mean():.1%} bad")
print(f"average precision {average_precision_score(labels, scores):.2f} (guessing: {labels.mean():.2f})")
model.fit(values, labels)
weights = pl.DataFrame({"feature": features, "weight": model[-1].coef_[0]})
print(weights.sort(pl.col("weight").abs(), descending=True).head(10))
lake.close()

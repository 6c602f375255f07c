"""Metrics: the table of names, scores of labels, rankings and values, and how each is optimised."""

from tabnet_auto.metrics.choose import get_metric, metric_by_name
from tabnet_auto.metrics.metric import Metric
from tabnet_auto.metrics.objective import Objective
from tabnet_auto.metrics.table import DEFAULT_METRIC, METRICS

__all__ = ["DEFAULT_METRIC", "METRICS", "Metric", "Objective", "get_metric", "metric_by_name"]

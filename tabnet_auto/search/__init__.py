"""Search for better settings, on rows that no reported score is of."""

from tabnet_auto.search.inner import Rows
from tabnet_auto.search.record import SearchRecord
from tabnet_auto.search.run import Terms, search_settings
from tabnet_auto.search.space import check_search

__all__ = ["Rows", "SearchRecord", "Terms", "check_search", "search_settings"]

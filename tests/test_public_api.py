"""The public list is short, sorted, and what can be imported."""

from __future__ import annotations

import tabnet_auto

# Found by IPython's %load_ext, not meant to be imported by people.
PROTOCOL = {"load_ipython_extension"}


def test_public_list_is_sorted_and_short():
    def constants_then_classes(name):
        return (not name.isupper(), name)

    assert list(tabnet_auto.__all__) == sorted(tabnet_auto.__all__, key=constants_then_classes)
    assert len(set(tabnet_auto.__all__)) == len(tabnet_auto.__all__) <= 20


def test_every_public_name_can_be_imported_and_is_listed_by_dir():
    for name in tabnet_auto.__all__:
        assert getattr(tabnet_auto, name) is not None
    assert set(tabnet_auto.__all__) <= set(dir(tabnet_auto))


def test_nothing_else_of_ours_is_public():
    ours = {
        name
        for name, value in vars(tabnet_auto).items()
        if not name.startswith("_")
        and (getattr(value, "__module__", None) or "").startswith("tabnet_auto")
    }
    assert ours - PROTOCOL <= set(tabnet_auto.__all__)


def test_the_contract_names_are_there():
    promised = {"TabNetClassifier", "TabNetRegressor", "auto_fit", "load"}
    assert promised <= set(tabnet_auto.__all__)

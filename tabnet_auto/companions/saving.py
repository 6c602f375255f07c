"""Companions as plain data and arrays, and back; nothing that could run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tabnet_auto.companions.boosters import booster_from_arrays
from tabnet_auto.companions.estimators import Estimator
from tabnet_auto.companions.lesson import Arrays, Fitted, constant_from_arrays
from tabnet_auto.companions.linear import linear_from_arrays
from tabnet_auto.companions.train import Companion
from tabnet_auto.companions.trees import boosted_from_arrays, forest_from_arrays
from tabnet_auto.errors import ArtifactError

_READERS: dict[str, Callable[[Arrays], Fitted]] = {
    "booster": booster_from_arrays,
    "boosted trees": boosted_from_arrays,
    "forest": forest_from_arrays,
    "linear": linear_from_arrays,
    "constant": constant_from_arrays,
}


def check_savable(companions: Sequence[Companion]) -> None:
    """Check that every companion has a form without pickle.

    Raises
    ------
    ArtifactError
        If one has none.
    """
    for companion in companions:
        for member in companion.members:
            if isinstance(member, Estimator):
                raise ArtifactError(
                    "A saved model holds no pickle, however: companion "
                    f"{companion.name!r} is a {type(member.model).__name__}, which has no other "
                    f"form. Save fit.without([{companion.name!r}]), or pass companions that have: "
                    "names, scikit-learn's linear models, forests and histogram boosting."
                )


def companions_to_state(companions: Sequence[Companion]) -> tuple[list[dict[str, Any]], Arrays]:
    """Return plain data and named arrays from which :func:`companions_from_state` rebuilds."""
    check_savable(companions)
    data: list[dict[str, Any]] = []
    arrays: Arrays = {}
    for i, companion in enumerate(companions):
        data.append(
            {
                "name": companion.name,
                "view": companion.view,
                "members": [member.kind for member in companion.members],
                "scores": list(companion.scores),
                "seconds": companion.seconds,
            }
        )
        for f, member in enumerate(companion.members):
            arrays |= {f"{i}.{f}.{name}": array for name, array in member.to_arrays().items()}
    return data, arrays


def companions_from_state(
    data: Sequence[Mapping[str, Any]], arrays: Arrays
) -> tuple[Companion, ...]:
    """Rebuild companions from what :func:`companions_to_state` returned."""
    return tuple(
        Companion(
            name=one["name"],
            view=one["view"],
            members=tuple(
                _READERS[kind](_under(f"{i}.{f}.", arrays)) for f, kind in enumerate(one["members"])
            ),
            scores=tuple(one["scores"]),
            seconds=one["seconds"],
        )
        for i, one in enumerate(data)
    )


def _under(prefix: str, arrays: Arrays) -> Arrays:
    return {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}

"""Components of short texts: hashed words and letters, weighed and condensed per training set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.design import FloatArray, IntArray
from tabnet_auto.encode.rows import sample_rows
from tabnet_auto.folds import Rows

N_BUCKETS = 4096
"""Hash buckets of words, and as many of character trigrams."""

MAX_TEXTS = 20_000
"""Training texts from which weights and components are learned at most."""

# A direction with less of the strongest direction's weight than this is rounding.
_ROUNDING = 1e-6
# Where the training texts are nearly equal, another text lies thousands of spreads away.
_LIMIT = 10.0


@dataclass(frozen=True, eq=False)
class TextComponents:
    """How the texts of one column become components.

    ``idf``
        ``(n_sources, 2 * N_BUCKETS)`` float32 weight of each bucket.
    ``components``
        ``(n_sources, 2 * N_BUCKETS, k)`` float32 directions; zero where the training texts have
        fewer than k different directions.
    ``center``, ``spread``
        ``(n_sources, k)`` float32 standardisation over the training rows learned from.
    """

    idf: FloatArray
    components: FloatArray
    center: FloatArray
    spread: FloatArray

    def encode(self, texts: NDArray[np.object_]) -> FloatArray:
        """Return standardised components, NaN for missing text; ``(n_sources, n, k)`` float32."""
        counts = hash_texts(texts)
        parts = [
            (project(counts, self.idf[s], self.components[s]) - self.center[s]) / self.spread[s]
            for s in range(len(self.idf))
        ]
        result: FloatArray = np.clip(np.stack(parts), -_LIMIT, _LIMIT).astype(np.float32)
        result[:, is_missing(texts)] = np.nan
        return result

    def select(self, sources: IntArray) -> TextComponents:
        """Return the components of some training sets only."""
        return replace(self, **{name: array[sources] for name, array in self.arrays().items()})

    def arrays(self) -> dict[str, Any]:
        """Return the arrays to be saved."""
        return {
            "idf": self.idf,
            "components": self.components,
            "center": self.center,
            "spread": self.spread,
        }


def is_missing(texts: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return which texts are missing; ``(n,)``."""
    return np.array([text is None for text in texts], dtype=bool)


def hash_texts(texts: NDArray[np.object_]) -> Any:
    """Count hashed words and trigrams within words; sparse ``(n, 2 * N_BUCKETS)``."""
    from scipy import sparse
    from sklearn.feature_extraction.text import HashingVectorizer

    if len(texts) == 0:  # scikit-learn refuses an empty list
        return sparse.csr_matrix((0, 2 * N_BUCKETS))
    documents = ["" if text is None else text for text in texts]
    words = HashingVectorizer(
        n_features=N_BUCKETS,
        alternate_sign=False,
        norm=None,
        token_pattern=r"\b\w+\b",  # noqa: S106 - one-letter words too; no password
    )
    letters = HashingVectorizer(
        n_features=N_BUCKETS,
        alternate_sign=False,
        norm=None,
        analyzer="char_wb",
        ngram_range=(3, 3),
    )
    blocks = [words.transform(documents), letters.transform(documents)]
    return sparse.hstack(blocks, format="csr")


def weigh(counts: Any, idf: FloatArray) -> Any:
    """Return TF-IDF weights with logarithmic counts and rows of length 1; sparse, same shape."""
    from sklearn.feature_extraction.text import TfidfTransformer

    if counts.shape[0] == 0:
        return counts
    transformer = TfidfTransformer(sublinear_tf=True)
    transformer.idf_ = idf.astype(np.float64)
    return transformer.transform(counts)


def project(counts: Any, idf: FloatArray, components: FloatArray) -> FloatArray:
    """Return the components of hashed texts; ``(n, k)`` float64."""
    return np.asarray(weigh(counts, idf) @ components.astype(np.float64))


def fit_text(
    texts: NDArray[np.object_], sources: tuple[Rows, ...], n_components: int
) -> TextComponents:
    """Learn bucket weights and components of one column from every training set.

    Parameters
    ----------
    texts
        ``(n,)`` texts of all rows, None where missing.
    sources
        The distinct training sets.
    n_components
        Components to keep; directions that the texts do not have are zero.
    """
    counts = hash_texts(texts)
    present = ~is_missing(texts)
    fitted = [_fit_source(counts, rows[present[rows]], n_components) for rows in sources]
    return TextComponents(*(np.stack(part) for part in zip(*fitted, strict=True)))


def _fit_source(
    counts: Any,
    rows: Rows,
    n_components: int,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.utils.extmath import randomized_svd

    width = counts.shape[1]
    components = np.zeros((width, n_components), dtype=np.float32)
    rows = sample_rows(rows, MAX_TEXTS)
    own = counts[rows]
    if own.nnz == 0 or n_components == 0:
        return np.ones(width, np.float32), components, *_no_scale(n_components)
    idf = TfidfTransformer(sublinear_tf=True).fit(own).idf_.astype(np.float32)
    # The kernel of TruncatedSVD, without its explained-variance ratio, which divides by zero
    # where all texts are equal.
    size = min(n_components, len(rows))
    _, strength, directions = randomized_svd(weigh(own, idf), size, random_state=0)
    real = strength > _ROUNDING * strength[0]
    components[:, : int(real.sum())] = directions[real].T
    projected = project(own, idf, components)
    spread = projected.std(axis=0)
    spread[spread < _ROUNDING] = 1.0
    return idf, components, projected.mean(axis=0).astype(np.float32), spread.astype(np.float32)


def _no_scale(n_components: int) -> tuple[FloatArray, FloatArray]:
    return np.zeros(n_components, np.float32), np.ones(n_components, np.float32)

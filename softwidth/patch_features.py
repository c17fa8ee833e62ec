"""Features of small images from their own patches, without labels (Coates, Lee and Ng 2011).

Patches are centred, whitened and clustered; how near an image's patches are to each cluster, summed over
its four quarters, is then brought to fewer numbers. All of it is learned from the images given to `fit`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softwidth._types import Array

SIDE, STRIDE = 6, 2  # pixels
KEPT = 60  # directions of patches: the others are mostly noise
CONTRAST, WHITENING = 10.0 / 255**2, 0.1  # added to variances: flat patches stay flat
BLOCK = 250  # images at a time


class PatchFeatures:
    """Features (N, features) of images (N, height, width, 3) with values in 0..1."""

    def __init__(
        self, features: int = 256, clusters: int = 256, sampled: int = 50_000, seed: int = 0
    ) -> None:
        self.features, self.clusters, self.sampled, self.seed = features, clusters, sampled, seed

    def fit(self, images: Array) -> PatchFeatures:
        """Learn from these images; `sampled` of their patches are clustered."""
        rng = np.random.default_rng(self.seed)
        share = -(-self.sampled // len(images))
        blocks = (_patches(images[s : s + BLOCK]) for s in range(0, len(images), BLOCK))
        drawn = [rng.choice(image, share, replace=False) for block in blocks for image in block]
        patches = _even(np.concatenate(drawn))
        self.pca = PCA(min(KEPT, patches.shape[1])).fit(patches)
        self.kmeans = MiniBatchKMeans(
            self.clusters, n_init=1, batch_size=4096, random_state=self.seed
        )
        self.kmeans.fit(self._white(patches))
        self.last = make_pipeline(StandardScaler(), PCA(self.features, random_state=self.seed))
        self.last.fit(self._raw(images))
        return self

    def __call__(self, images: Array) -> Array:
        """Features of images: the principal directions of what their quarters are near to."""
        return np.asarray(self.last.transform(self._raw(images)), np.float32)

    def _raw(self, images: Array) -> Array:
        starts = range(0, len(images), BLOCK)
        return np.concatenate([self._pooled(images[s : s + BLOCK]) for s in starts])

    def _pooled(self, images: Array) -> Array:
        patches = _patches(images)  # (N, P, D)
        N, P = patches.shape[:2]
        white = self._white(_even(patches.reshape(N * P, -1)))
        centres = self.kmeans.cluster_centers_.astype(np.float32)
        squares = (white**2).sum(axis=1)[:, None] - 2 * white @ centres.T + (centres**2).sum(axis=1)
        far = np.sqrt(np.maximum(squares, 0, out=squares), out=squares)
        near = np.maximum(far.mean(axis=1, keepdims=True) - far, 0)
        across = round(P**0.5)
        half = across // 2
        grid = near.reshape(N, across, across, -1)
        corners = [grid[:, rows, columns].sum(axis=(1, 2)) for rows in (slice(half), slice(half, None)) for columns in (slice(half), slice(half, None))]  # fmt: skip
        return np.concatenate(corners, axis=1)

    def _white(self, patches: Array) -> Array:
        white = self.pca.transform(patches) / np.sqrt(self.pca.explained_variance_ + WHITENING)
        return white.astype(np.float32)


def _patches(images: Array) -> Any:
    """Patches of every image, (N, P, SIDE * SIDE * 3), row by row of a square grid."""
    windows = sliding_window_view(images, (SIDE, SIDE), axis=(1, 2))[:, ::STRIDE, ::STRIDE]
    N, rows, columns = windows.shape[:3]
    return windows.reshape(N, rows * columns, -1)


def _even(patches: Array) -> Array:
    """Patches of mean 0 and of like contrast."""
    centred = patches - patches.mean(axis=1, keepdims=True)
    return centred / np.sqrt(centred.var(axis=1, keepdims=True) + CONTRAST)

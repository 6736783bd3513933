"""Datasets, samplers and the loader that batches them; tables from CSV files and their encoding; named data sets; splitting."""

from ..nn.functional import one_hot
from .collate import default_collate, default_convert
from .dataset import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from .datasets import LabelledDataset, digits, fetch, iris, mnist
from .encoder import Encoder
from .idx import read_idx
from .loader import DataLoader
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler
from .table import Table, read_csv
from .transforms import Standardized, standardize, to_categorical, train_test_split

__all__ = [
    "BatchSampler", "ConcatDataset", "DataLoader", "Dataset", "Encoder", "IterableDataset", "LabelledDataset", "RandomSampler",
    "Sampler", "SequentialSampler", "Standardized", "Subset", "SubsetRandomSampler", "Table", "TensorDataset",
    "WeightedRandomSampler", "default_collate", "default_convert", "digits", "fetch", "iris", "mnist", "one_hot", "random_split",
    "read_csv", "read_idx", "standardize", "to_categorical", "train_test_split",
]  # fmt: skip

"""Find the folders and the ground truth of a downloaded data set, in the forms it is spread in.

VSC2022    DIR/{queries,refs}, DIR/background or DIR/noise; `vcd synth` writes this
           DIR/dataset_{train,val,test}/{queries,refs}: the public release; the background is
           the references of another split
DISC2021   DIR/{val_query,val_ref,training} or DIR/{queries,refs,training}
truth      the one CSV beside them whose name fits
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vcd.core import InputError

__all__ = ["SPLITS", "DataSetFolders", "find_disc2021", "find_vsc2022"]

SPLITS = ("train", "val", "test")

_OTHER_SPLIT = {"train": "val", "val": "train", "test": "train"}
"""Whose references are the background, as published: no query of a split copies from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetFolders:
    """Where a data set is.

    Attributes:
        queries: folder of the queries.
        refs: folder of the references.
        background: folder of footage that is no copy of any reference; None where there is none.
        ground_truth: the CSV.
    """

    queries: Path
    refs: Path
    background: Path | None
    ground_truth: Path

    @property
    def edits(self) -> Path | None:
        """What was done to the queries, which `vcd synth` writes; None where nobody says it."""
        path = self.ground_truth.with_name("edits.csv")
        return path if path.exists() else None

    def roles(self) -> dict[str, Path]:
        """Folder of each role, in the order in which they are described."""
        roles = {"queries": self.queries, "refs": self.refs}
        return roles if self.background is None else {**roles, "background": self.background}


def find_vsc2022(root: Path, split: str | None) -> DataSetFolders:
    """Find a split of VSC2022, or a set of its form.

    Args:
        root: folder of the data set.
        split: one of `SPLITS`; None where there is but one.

    Raises:
        InputError: what is needed is not there, or there are several splits and none is named.
    """
    if split is None:
        split = _only_split(root)
    if split is None or not (root / f"dataset_{split}").is_dir():
        folder = root
        background = _first_folder(root / "background", root / "noise")
    else:
        folder = root / f"dataset_{split}"
        background = _first_folder(root / f"dataset_{_OTHER_SPLIT[split]}" / "refs")
    shared_refs = [root / "dataset_val" / "refs"] if split == "test" else []
    return DataSetFolders(
        queries=_wanted_folder(folder / "queries"),
        refs=_wanted_folder(folder / "refs", *shared_refs),
        background=background,
        ground_truth=_ground_truth((folder, root), f"{split or ''}*ground_truth*.csv"),
    )


def find_disc2021(root: Path) -> DataSetFolders:
    """Find the validation set of DISC2021, or a set of its form.

    Raises:
        InputError: what is needed is not there.
    """
    return DataSetFolders(
        queries=_wanted_folder(root / "val_query", root / "queries"),
        refs=_wanted_folder(root / "val_ref", root / "refs"),
        background=_first_folder(root / "training", root / "background"),
        ground_truth=_ground_truth((root,), "*ground*truth*.csv"),
    )


def _only_split(root: Path) -> str | None:
    found = [split for split in SPLITS if (root / f"dataset_{split}" / "queries").is_dir()]
    if len(found) > 1:
        raise InputError(f"{root}: holds {', '.join(found)}: say which with --split")
    return found[0] if found else None


def _first_folder(*folders: Path) -> Path | None:
    return next((folder for folder in folders if folder.is_dir()), None)


def _wanted_folder(*folders: Path) -> Path:
    found = _first_folder(*folders)
    if found is None:
        raise InputError(f"wanted a folder {' or '.join(map(str, folders))}, there is none")
    return found


def _ground_truth(folders: Sequence[Path], pattern: str) -> Path:
    for folder in dict.fromkeys(folders):
        found = sorted(folder.glob(pattern))
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise InputError(f"{folder}: wanted one ground truth, found {names}")
        if found:
            return found[0]
    raise InputError(f"{folders[0]}: wanted a ground truth named {pattern}, there is none")

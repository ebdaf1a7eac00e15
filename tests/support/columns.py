"""Columns of texts as pandas frames, and back."""

import pandas as pd

from party.data.text_columns import TextColumns


def frame_of(columns: TextColumns) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(columns[name].by_row(), dtype="str") for name in columns})


def columns_of(frame: pd.DataFrame) -> TextColumns:
    return TextColumns.of_frame(frame.reset_index(drop=True))

"""Features computed by the same function in training and in batch scoring."""

import pandas as pd


def ratios(inputs: pd.DataFrame) -> pd.DataFrame:
    """Open tickets for each purchase; a customer without purchases counts as one with one."""
    purchases = inputs["total_purchases"].clip(lower=1)
    ratio = inputs["open_tickets"] / purchases
    return pd.DataFrame({"tickets_per_purchase": ratio.astype("float32")}, index=inputs.index)

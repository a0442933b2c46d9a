"""The kinds of store a source can live in: one class a kind, one well-known library a class.

Each answers three calls: which columns there are, rows of some columns inside a window, and
append. The library is imported when the kind is used and named when it is missing. Addresses and
passwords come from `MLOPS_<KIND>_URL`, never from a file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from mlops.network import TIMEOUT_SECONDS, is_outage, retried
from mlops.outcome import CannotRun, Failed, asked_by, missing_package
from mlops.reports import replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import pandas as pd
    from mlops.facts import Location


@dataclass(frozen=True)
class Window:
    """Rows from `start` on and before `end`, both in UTC; None is open."""

    start: datetime | None = None
    end: datetime | None = None

    def __str__(self) -> str:
        """As a message says it."""
        start = self.start.isoformat() if self.start else "the beginning"
        return f"{start} to {self.end.isoformat() if self.end else 'the end'}"


class Store(Protocol):
    """What a program needs of a place with rows."""

    def columns(self) -> list[str]:
        """The names of the columns."""
        ...

    def rows(self, columns: Sequence[str], timestamp: str | None, window: Window) -> pd.DataFrame:
        """These columns of the rows inside the window."""
        ...

    def append(self, rows: pd.DataFrame) -> None:
        """Add rows, all or none."""
        ...


def store_of(location: Location) -> Store:
    """The store of a source in one environment."""
    return _STORES[location.kind](location)


def _address(kind: str) -> str:
    variable = f"MLOPS_{kind.upper()}_URL"
    address = os.environ.get(variable)
    if not address:
        raise CannotRun(f"{variable} is not set: it says where {kind} answers")
    return address


def dataset(path: str, kind: str) -> Any:
    """A file, a folder of files, or an address of some, as pyarrow's dataset."""
    import pyarrow.dataset as ds

    source, files = _located(path)
    return ds.dataset(source, format=kind, filesystem=files)


def _located(path: str) -> tuple[str, Any]:
    """The path of files within their file system, and that one, which gives up in time.

    Left to themselves, Google's client tries for a quarter of an hour before it says that nobody
    answers, and Amazon's waits for several minutes.
    """
    scheme, _, inside = path.partition("://")
    if scheme not in ("gs", "s3") or "?" in inside:  # local, or an address with options of its own
        return path, None
    from pyarrow import fs

    if scheme == "gs":
        return inside, fs.GcsFileSystem(retry_time_limit=timedelta(seconds=TIMEOUT_SECONDS))
    endpoint = urlsplit(
        os.environ.get("AWS_ENDPOINT_URL_S3", os.environ.get("AWS_ENDPOINT_URL", ""))
    )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return inside, fs.S3FileSystem(
        endpoint_override=endpoint.netloc or None,
        scheme=endpoint.scheme or "https",
        region=region or (None if endpoint.netloc else fs.resolve_s3_region(inside.split("/")[0])),
        connect_timeout=TIMEOUT_SECONDS,
        request_timeout=TIMEOUT_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )


class Files:
    """Parquet and CSV through pyarrow: a file, a folder of files, or a gs:// or s3:// address."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._path = location.name
        self._local = "://" not in self._path

    def _dataset(self) -> Any:
        if self._local and not Path(self._path).exists():
            raise Failed(f"no data: {self._path} does not exist {asked_by(self._location.spec)}")
        return self._answered(lambda: dataset(self._path, self._location.kind))

    def _answered(self, attempt: Callable[[], Any]) -> Any:
        """What pyarrow answers; Failed when the files are none of this kind."""
        try:
            return retried(
                f"{self._location.kind} {self._path}",
                attempt,
                lambda error: not self._local and is_outage(error),
            )
        except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
            raise Failed(
                f"{self._path} is not readable as {self._location.kind}: {error} "
                f"{asked_by(self._location.spec)}"
            ) from None

    def columns(self) -> list[str]:
        """See Store."""
        return list(self._dataset().schema.names)

    def rows(self, columns: Sequence[str], timestamp: str | None, window: Window) -> pd.DataFrame:
        """See Store."""
        dataset = self._dataset()
        condition = None
        if timestamp and (window.start or window.end):
            condition = self._condition(dataset.schema.field(timestamp), window)
        table = self._answered(lambda: dataset.to_table(columns=list(columns), filter=condition))
        return table.to_pandas()

    def _condition(self, field: Any, window: Window) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not pa.types.is_temporal(field.type):
            raise Failed(
                f"column '{field.name}' of {self._path} holds {field.type}, not timestamps "
                f"{asked_by(self._location.spec)}"
            )
        naive = pa.types.is_date(field.type) or field.type.tz is None
        condition = pc.scalar(True)
        for moment, compare in ((window.start, "__ge__"), (window.end, "__lt__")):
            if moment is not None:
                value = moment.astimezone(UTC).replace(tzinfo=None) if naive else moment
                exact = pa.scalar(value, pa.timestamp("us", tz=None if naive else "UTC"))
                condition &= getattr(pc.field(field.name).cast(exact.type), compare)(exact)
        return condition

    def append(self, rows: pd.DataFrame) -> None:
        """See Store."""
        if not self._local:
            raise CannotRun(
                f"{self._path}: rows are appended to local files only; "
                f"use a table {asked_by(self._location.spec)}"
            )
        path = Path(self._path)
        if path.is_file():
            import pandas as pd

            rows = pd.concat([self._dataset().to_table().to_pandas(), rows], ignore_index=True)
        elif not path.suffix:  # a folder: every append is a file of its own
            path = path / f"part-{len(list(path.glob('part-*'))):06d}.{self._location.kind}"
        with replaced(path) as temporary:
            if self._location.kind == "csv":
                rows.to_csv(temporary, index=False)
            else:
                rows.to_parquet(temporary, index=False)


class DuckDb:
    """A DuckDB file; `MLOPS_DUCKDB_URL` is its path."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._table = ".".join(_quoted(part) for part in location.name.split("."))

    def _connect(self, *, read_only: bool) -> Any:
        try:
            import duckdb
        except ModuleNotFoundError:
            raise missing_package("duckdb", "a duckdb source") from None
        path = Path(_address("duckdb").removeprefix("duckdb:///"))
        if read_only and not path.is_file():
            raise Failed(f"no data: {path} does not exist {asked_by(self._location.spec)}")
        # DuckDB gives a file to one writer at a time, so a busy file is worth waiting for.
        return retried(
            f"DuckDB {path}",
            lambda: duckdb.connect(str(path), read_only=read_only),
            lambda error: isinstance(error, duckdb.IOException),
        )

    def _query(self, statement: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        import duckdb

        with self._connect(read_only=True) as connection:
            # So that a column with a zone is compared with UTC too, and not with the machine's zone.
            connection.execute("SET TimeZone = 'UTC'")
            try:
                return connection.execute(statement, list(parameters)).df()
            except duckdb.CatalogException as error:
                raise _no_table(self._location, error) from None

    def columns(self) -> list[str]:
        """See Store."""
        return list(self._query(f"SELECT * FROM {self._table} LIMIT 0").columns)  # noqa: S608 - quoted

    def rows(self, columns: Sequence[str], timestamp: str | None, window: Window) -> pd.DataFrame:
        """See Store."""
        conditions, moments = [], []
        for moment, sign in ((window.start, ">="), (window.end, "<")):
            if timestamp and moment:
                conditions.append(f"{_quoted(timestamp)} {sign} ?::TIMESTAMP")
                moments.append(moment.astimezone(UTC).replace(tzinfo=None))
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        names = ", ".join(_quoted(name) for name in columns)
        statement = f"SELECT {names} FROM {self._table}{where}"  # noqa: S608 - quoted
        return self._query(statement, moments)

    def append(self, rows: pd.DataFrame) -> None:
        """See Store."""
        with self._connect(read_only=False) as connection:
            connection.register("mlops_rows", rows)
            rows_of = "SELECT * FROM mlops_rows"
            connection.execute(f"CREATE TABLE IF NOT EXISTS {self._table} AS {rows_of} LIMIT 0")
            connection.execute(f"INSERT INTO {self._table} BY NAME {rows_of}")


_SQL_PACKAGES = {
    "postgres": "'sqlalchemy>=2.1' 'psycopg[binary]'",
    "redshift": "sqlalchemy-redshift redshift-connector",
    "snowflake": "snowflake-sqlalchemy",
}
_CONNECT_TIMEOUT = {
    "postgresql": "connect_timeout", "redshift": "timeout", "snowflake": "login_timeout",
}  # fmt: skip
"""SQLAlchemy dialect → the driver's argument for how long connecting may take, in seconds."""
_IN_UTC = {
    "postgresql": "SET TIME ZONE 'UTC'",
    "redshift": "SET timezone TO 'UTC'",
    "snowflake": "ALTER SESSION SET TIMEZONE = 'UTC'",
}
"""SQLAlchemy dialect → what makes the session read a time without a zone as UTC."""


class SqlDatabase:
    """PostgreSQL, Redshift and Snowflake through SQLAlchemy, which knows how each one quotes."""

    def __init__(self, location: Location) -> None:
        self._location = location
        schema, _, table = location.name.rpartition(".")
        self._schema, self._name = schema or None, table

    def _engine(self) -> Any:
        purpose = f"a {self._location.kind} source"
        packages = _SQL_PACKAGES[self._location.kind]
        try:
            import sqlalchemy

            url = sqlalchemy.make_url(_address(self._location.kind))
            waits = _CONNECT_TIMEOUT.get(url.get_backend_name())
            return sqlalchemy.create_engine(
                url, pool_pre_ping=True, connect_args={waits: TIMEOUT_SECONDS} if waits else {}
            )
        except ModuleNotFoundError:
            raise missing_package(packages, purpose) from None
        except sqlalchemy.exc.NoSuchModuleError:
            raise missing_package(packages, purpose) from None
        except sqlalchemy.exc.ArgumentError as error:
            raise CannotRun(
                f"MLOPS_{self._location.kind.upper()}_URL is no SQLAlchemy address: {error}"
            ) from None

    def _read(self, names: Sequence[str] | None, timestamp: str | None, window: Window) -> Any:
        import pandas as pd
        import sqlalchemy as sa

        engine = self._engine()
        table = sa.table(self._name, *map(sa.column, names or ()), schema=self._schema)
        query = (
            sa.select(*table.c) if names else sa.select(sa.text("*")).select_from(table).limit(0)
        )
        if timestamp and window.start:
            query = query.where(sa.column(timestamp) >= window.start)
        if timestamp and window.end:
            query = query.where(sa.column(timestamp) < window.end)

        def attempt() -> pd.DataFrame:
            with engine.connect() as connection:
                if engine.dialect.name in _IN_UTC:
                    connection.execute(sa.text(_IN_UTC[engine.dialect.name]))
                return pd.read_sql(query, connection)

        try:
            return retried(self._where(engine), attempt)
        except (sa.exc.ProgrammingError, sa.exc.OperationalError) as error:
            raise _no_table(self._location, error) from None
        finally:
            engine.dispose()

    def _where(self, engine: Any) -> str:
        url = engine.url
        port = f":{url.port}" if url.port else ""
        return f"{self._location.kind} {url.host or url.database}{port}"

    def columns(self) -> list[str]:
        """See Store."""
        return list(self._read(None, None, Window()).columns)

    def rows(self, columns: Sequence[str], timestamp: str | None, window: Window) -> pd.DataFrame:
        """See Store."""
        frame: pd.DataFrame = self._read(columns, timestamp, window)
        return frame

    def append(self, rows: pd.DataFrame) -> None:
        """See Store."""
        import sqlalchemy as sa

        engine = self._engine()
        try:
            # Connecting is repeated; writing is not, nobody knows how far it came.
            opened = retried(self._where(engine), engine.connect)
            with opened as connection, connection.begin():  # one transaction: all rows or none
                rows.to_sql(
                    self._name,
                    connection,
                    schema=self._schema,
                    if_exists="append",
                    index=False,
                    chunksize=10_000,  # rows a statement: bounds the memory of the driver
                )
        except sa.exc.SQLAlchemyError as error:
            what = f"{self._where(engine)}, {self._location.name}"
            raise CannotRun(f"{what}: {error}") from None
        finally:
            engine.dispose()


class BigQuery:
    """Google BigQuery through its own client, which retries what may be retried."""

    def __init__(self, location: Location) -> None:
        self._location = location

    def _client(self) -> Any:
        try:
            from google.auth.exceptions import DefaultCredentialsError
            from google.cloud import bigquery
        except ModuleNotFoundError:
            raise missing_package(
                "google-cloud-bigquery[pandas,pyarrow]", "a bigquery source"
            ) from None
        address = os.environ.get("MLOPS_BIGQUERY_URL", "").removeprefix("bigquery://")
        try:
            return bigquery.Client(project=address.partition("/")[0] or None)
        except DefaultCredentialsError as error:
            raise CannotRun(f"BigQuery: {error}") from None

    def _table(self) -> Any:
        from google.api_core.exceptions import GoogleAPIError, NotFound

        try:
            return self._client().get_table(self._location.name)
        except NotFound as error:
            raise _no_table(self._location, error) from None
        except GoogleAPIError as error:
            raise CannotRun(f"BigQuery {self._location.name}: {error}") from None

    def columns(self) -> list[str]:
        """See Store."""
        return [field.name for field in self._table().schema]

    def rows(self, columns: Sequence[str], timestamp: str | None, window: Window) -> pd.DataFrame:
        """See Store."""
        from google.api_core.exceptions import GoogleAPIError
        from google.cloud import bigquery

        conditions, parameters = [], []
        for name, sign, moment in (("start", ">=", window.start), ("end", "<", window.end)):
            if timestamp and moment:
                conditions.append(f"TIMESTAMP(`{timestamp}`) {sign} @{name}")
                parameters.append(bigquery.ScalarQueryParameter(name, "TIMESTAMP", moment))
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        names = ", ".join(f"`{name}`" for name in columns)
        query = f"SELECT {names} FROM `{self._location.name}`{where}"  # noqa: S608 - the spec's names
        try:
            job = self._client().query(
                query, job_config=bigquery.QueryJobConfig(query_parameters=parameters)
            )
            frame: pd.DataFrame = job.to_dataframe()
        except GoogleAPIError as error:
            raise CannotRun(f"BigQuery {self._location.name}: {error}") from None
        return frame

    def append(self, rows: pd.DataFrame) -> None:
        """See Store."""
        from google.api_core.exceptions import GoogleAPIError

        try:
            self._client().load_table_from_dataframe(rows, self._location.name).result()
        except GoogleAPIError as error:
            raise CannotRun(f"BigQuery {self._location.name}: {error}") from None


class Spark:
    """A table of a Spark catalog; `MLOPS_SPARK_URL` is a Spark Connect address or a master."""

    def __init__(self, location: Location) -> None:
        self._location = location

    def _frame(self) -> Any:
        session = self._session()
        from pyspark.errors import AnalysisException

        try:
            frame = session.table(self._location.name)
            _ = frame.columns  # Spark Connect resolves the name only when it is asked something
        except AnalysisException as error:
            raise _no_table(self._location, error) from None
        return frame

    def _session(self) -> Any:
        address = _address("spark")
        try:
            from pyspark.sql import SparkSession
        except ModuleNotFoundError:
            raise missing_package("pyspark", "a spark source") from None
        builder = SparkSession.builder
        builder = (
            builder.remote(address) if address.startswith("sc://") else builder.master(address)
        )
        return builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()

    def columns(self) -> list[str]:
        """See Store."""
        return list(self._frame().columns)

    def rows(self, columns: Sequence[str], timestamp: str | None, window: Window) -> pd.DataFrame:
        """See Store."""
        frame = self._frame()
        if timestamp and window.start:
            frame = frame.where(frame[timestamp] >= window.start)
        if timestamp and window.end:
            frame = frame.where(frame[timestamp] < window.end)
        selected: pd.DataFrame = frame.select(*columns).toPandas()
        return selected

    def append(self, rows: pd.DataFrame) -> None:
        """See Store."""
        # By name, because a table's columns need not stand in our order.
        self._session().createDataFrame(rows).writeTo(self._location.name).append()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _no_table(location: Location, error: Exception) -> Failed:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return Failed(
        f"no data: {location.kind} table {location.name}: {reason} {asked_by(location.spec)}"
    )


_STORES: dict[str, Callable[[Location], Store]] = {
    "parquet": Files, "csv": Files, "duckdb": DuckDb, "postgres": SqlDatabase, "snowflake": SqlDatabase,
    "redshift": SqlDatabase, "bigquery": BigQuery, "spark": Spark,
}  # fmt: skip

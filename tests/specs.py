"""Specs drawn at random: everything the language has in this release, built to be accepted.

A draw is repaired while it is built, never filtered: what one choice asks for elsewhere (a secret,
a registry, a Pushgateway) is written there at once. A few draws are refused all the same, by rules
about a meeting of free choices; `test_properties` holds those refusals to having a place.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from artifacts.hostile import HOSTILE
from mlopsc.project.metrics import METRICS
from mlopsc.project.runtimes import RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Data = dict[str, Any]

# --- words that somebody else reads as something of their own -----------------------------------

NAMES = (
    "a", "b", "x9", "delay", "churn", "customers", "outcomes", "class", "import", "lambda", "none",
    "true", "false", "yes", "no", "on", "off", "y", "n", "null", "self", "default", "training",
    "model", "models", "source", "base", "config", "stages", "script", "image", "pages", "python",
    "decision", "and", "by", "le", "con", "nul", "aux", "test", "e5", "o17", "a_", "a__b", "long_",
    "x_1", "feast", "mlops", "str", "int", "print", "champion", "production", "gate", "dataset",
    "abcdefghij_abcdefghij_abcdefghij_abcdefg", "z" * 40, "serving_a", "drift", "monitor", "batch",
)  # fmt: skip
COLUMNS = (
    "a", "A", "b", "Class", "class", "import", "select", "order", "group", "Order", "from", "None",
    "True", "yes", "No", "on", "null", "Null", "n", "index", "level_0", "values", "count", "mean",
    "timestamp", "event_time", "date", "id", "target", "label", "split", "type", "name",
    "Field", "field", "self", "df", "pd", "timedelta", "Entity", "x_", "x__y", "e5", "E5", "inf",
    "customer_id", "distance", "carrier", "arr_delay", "total", "C" * 63, "snake_case_name", "T1",
    "FeatureView", "customers", "outcomes", "created", "score", "proba", "weight", "Index", "shape",
)  # fmt: skip
FILES = (
    "data/a.parquet", "data/b", "a.parquet", "data/with space.parquet", "data/it's.parquet",
    'data/"quoted".parquet', "data/$HOME.parquet", "data/`x`.parquet", "data/#1.parquet",
    "data/a;b.parquet", "data/\u00fcber/\u540d\u524d.parquet", "data/a&b.parquet", "data/-x.parquet",
    "gs://bucket/x.parquet", "s3://bucket/folder/", "yes", "data/{x}.parquet", "data/%s.parquet",
)  # fmt: skip
TABLES = ("acme.growth.t", "public.rows", "t", "a-b.c_d.e", "null", "s.yes", "x1.y2.z3", "on.off")
COMMANDS = (
    "python src/train.py", "python src/train.py --epochs 3", "bash -c 'echo \"a: b\" # c'",
    "python -m src.train --name=\"it's\"", "make train && echo done", "python src/a.py; echo 'x'",
    "echo '- a' | cat > out.txt", "python src/train.py --tag '#1: {a}'", "./run %s", "yes", "true",
    "python src/train.py --regex '^\\d+$'", "python src/\u540d.py", "[ -f x ] || python src/x.py",
    "!run", "*", "python 'src/a b.py' > /dev/null 2>&1", "dbt build --select a+", "echo {{ item }}",
    "python src/train.py \\\n  --epochs 3", "set -e\npython src/a.py\npython src/b.py\n", "echo ~",
)  # fmt: skip
SCHEDULES = (
    "1h", "1d", "15m", "2h", "12h", "6h", "30m", "1w", "0 3 * * 1", "*/15 * * * *", "5 4 1 * *",
    "0 5 * * mon", "59 23 31 12 *", "0 0 1,15 * *", "0 8-18/2 * * 1-5",
)  # fmt: skip
ZONES = ("UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "Asia/Kolkata")
OWNERS = ("growth/ml", "ada", "a/b/c", "data-team/x.y", "yes", "null", "123", "A_b/C")
PATTERNS = (
    "^[A-Z]{2}$", "\\d+", "it's", 'say "x"', "a\\\\b", "^\\s*$", "[^'\"]+", "\u00e9+", "(a|b){1,3}",
    "^$", ".*", "#", ": ", "{{x}}", "%d", "\\.", "\\bword\\b", "(?i)abc", "a/b", "\\u00e9", "\\$",
)  # fmt: skip
VERSIONS = (
    "14",
    "1",
    "0x10",
    "1e3",
    "yes",
    "null",
    "1.10",
    "007",
    "v1.2.3",
    "on",
    "1_000",
    "x" * 128,
)
QUERIES = (
    "sum(retained_revenue_total)", 'sum(rate(x_total{a="b"}[5m]))', "max(y) by (region)",
    'count(up{job="it\'s"} == 1)', "avg(z) / 100", "a_b:c:d", 'sum(x{l=~"a|b"}) or vector(0)',
    "sum(\n  x\n)\n", "max(kafka_consumergroup_lag)", 'x{l="{{ $value }}"}', "x # a comment",
)  # fmt: skip
URLS = ("https://a.example.com", "http://x.y:9090", "https://h/path/", "https://h/p?a=b&c=%20#f")
NUMBERS = (0, 1, -1, 0.5, 3650, -0.25, 1e-9, 1e300, 123456789012, 2.5, 1e3, 100)
TEXTS = tuple(text for text in HOSTILE if text and len(text) < 300 and "${" not in text)
WORDS = tuple(text for text in TEXTS if text.isprintable())
METHODS = ("psi", "jensenshannon", "kl_div", "hellinger")
NUMERIC_METHODS = ("ks", "wasserstein", "t_test", "anderson", "ed", "mannw", "cramer_von_mises")
NUMERIC = ("int32", "int64", "float32", "float64")
TYPES = (*NUMERIC, "string", "bool")
OFFLINE = ("parquet", "bigquery", "snowflake", "redshift", "postgres", "spark")
SEVERITIES = ("critical", "warning", "info")


_NEVER_OBJECTS = ("entities", "channels", "rules", "business")


def dns(name: str) -> str:
    return name.replace("_", "-")


class Maker:
    """Builds one spec, a chapter at a time; what a chapter needs from another is noted at once."""

    def __init__(self, draw: Callable[..., Any]) -> None:
        self.draw = draw
        self.spec: Data = {"apiVersion": "mlopsc/v1"}
        self.taken: dict[str, set[str]] = {}
        self.offline = self.pick(OFFLINE)
        self.entities: dict[str, tuple[str, str]] = {}  # name → column, type
        self.columns_used: set[str] = set()
        self.needs: set[str] = set()

    # --- drawing ---

    def pick(self, among: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(among))

    def yes(self, tenths: int = 5) -> bool:
        return bool(self.draw(st.integers(0, 9)) >= 10 - tenths)

    def some(self, among: Sequence[Any], least: int = 0, most: int = 4) -> list[Any]:
        """Different items of `among`, in its order."""
        most = min(most, len(among))
        size = self.draw(st.integers(min(least, most), most))
        chosen: list[int] = []
        for _ in range(size):
            left = [index for index in range(len(among)) if index not in chosen]
            chosen.append(self.pick(left))
        return [among[index] for index in sorted(chosen)]

    def count(self, least: int, most: int) -> int:
        return int(self.draw(st.integers(least, most)))

    def text(self) -> str:
        return str(self.pick(TEXTS))

    def name(self, chapter: str) -> str:
        """A name that no other of the chapter meets, in Kubernetes either."""
        taken = self.taken.setdefault(chapter, set())
        # What Kubernetes has a name for ends in a letter or a digit there.
        free = NAMES if chapter in _NEVER_OBJECTS else [n for n in NAMES if n[-1] != "_"]
        name = self.pick([each for each in free if dns(each) not in taken])
        taken.add(dns(name))
        return str(name)

    def column(self) -> str:
        name = self.pick([each for each in COLUMNS if each not in self.columns_used])
        self.columns_used.add(name)
        return str(name)

    def secret(self) -> Data:
        """A use of a secret, old or new."""
        known = self.spec.setdefault("secrets", {})
        if known and self.yes():
            return {"secret": self.pick(list(known))}
        name = self.name("secrets")
        known[name] = self.pick(
            [{}, {"path": "growth/x"}, {"key": "a.b-c_d"}, {"path": "A/b.c", "key": "null"}]
        )
        return {"secret": name}

    def image(self) -> str:
        """The name of an image, old or new; it needs a registry to be pushed to."""
        known = self.spec.setdefault("images", {})
        if known and self.yes():
            return str(self.pick(list(known)))
        name = self.name("models")  # their images and those of models stand side by side
        made: Data = self.pick(
            [{"python": "3.11"}, {"python": "3.12.4"}, {"dockerfile": "d/my file"}]
        )
        known[name] = made = dict(made)
        if "python" in made:
            if self.yes():
                made["requirements"] = self.pick(["requirements.txt", "a b/req's.txt"])
            if self.yes(3):
                made["packages"] = self.some(["libgomp1", "g++", "curl=7.88.1-10+deb12u5"], 1)
        self.needs.add("registry")
        return name

    def maybe(self, into: Data, key: str, value: Callable[[], Any], tenths: int = 3) -> None:
        if self.yes(tenths):
            into[key] = value()

    # --- sources ---

    def describe(self, type_: str) -> Data:
        """A column that is not a key."""
        column: Data = {"type": type_}
        self.maybe(column, "description", self.text, 3)
        if type_ in NUMERIC and self.yes():
            whole = type_.startswith("int")
            bounds = sorted(
                self.pick([n for n in NUMBERS if isinstance(n, int) or not whole]) for _ in "ab"
            )
            if type_ == "int32":
                bounds = [min(bound, 2**31 - 1) for bound in bounds]
            column |= dict(self.some([("min", bounds[0]), ("max", bounds[1])], 1))
        elif type_ == "string":
            if self.yes(4):
                column["one_of"] = self.some(WORDS, 1, 4)
            elif self.yes(4):
                column["pattern"] = self.pick(PATTERNS)
        elif type_ == "bool" and self.yes(2):
            column["one_of"] = [True, False]
        self.maybe(column, "nulls", lambda: self.pick(["5%", 0.5, 1.0, "100%", "0.1%"]), 3)
        self.maybe(column, "severity", lambda: self.pick(SEVERITIES), 3)
        self.maybe(column, "unique", lambda: True, 1)
        return column

    def source(self, *, entities: Iterable[str], kind: str, labels: int = 0) -> str:
        name = self.name("owners")
        source: Data = {}
        self.maybe(source, "description", self.text)
        source[kind] = self.location(kind)
        stamp = self.column()
        source["timestamp"] = stamp
        self.columns_used.discard(stamp) if self.yes(2) else None
        columns: Data = {}
        for entity in entities:
            column, type_ = self.entities[entity]
            columns[column] = {"type": type_, "key": entity}
        for _ in range(self.count(1, 3)):
            columns[self.column()] = self.describe(self.pick(TYPES))
        for _ in range(labels):
            label = self.describe(self.pick(["float32", "float64", "bool", "string", "int64"]))
            columns[self.column()] = label | self.pick(
                [{}, {"known_after": "1d"}, {"known_after": "12h"}]
            )
        self.maybe(columns, self.column(), lambda: {"type": self.pick(TYPES), "personal": True}, 2)
        source["columns"] = {
            key: value["type"] if list(value) == ["type"] and self.yes() else value
            for key, value in columns.items()
            if key != stamp
        }
        self.maybe(source, "freshness", lambda: self.pick(["1d", "30m", "2w"]))
        self.maybe(source, "owner", lambda: self.pick(OWNERS))
        self.maybe(source, "rows", lambda: self.rows(list(source["columns"]), stamp))
        self.maybe(source, "expectations", lambda: self.expectations(source["columns"]), 2)
        if self.yes(2):
            self.needs.add("kafka")
            source["kafka"] = {"topic": self.pick(["t", "a.b-c_D", "yes", "1"])} | self.pick(
                [{}, {"format": "avro"}, {"format": "json"}]
            )
        self.maybe(source, "build", self.build, 2)
        self.spec.setdefault("sources", {})[name] = source
        return name

    def location(self, kind: str) -> str:
        if kind in {"postgres", "snowflake", "redshift", "spark"} or (
            kind not in {"parquet", "csv"} and self.yes(2)
        ):
            self.needs.add(kind)
        if kind in {"parquet", "csv"}:
            return str(self.pick([f for f in FILES if "://" in f] if self.in_cluster else FILES))
        return str(self.pick(TABLES))

    @property
    def in_cluster(self) -> bool:
        return "kubernetes" in self.spec["platform"].values()

    def rows(self, columns: list[str], stamp: str) -> Data:
        return dict(
            self.some(
                [("min", 0), ("max", 10**12), ("unique", self.some([*columns, stamp], 1, 3))], 1
            )
        )

    def expectations(self, columns: Data) -> list[Data]:
        column = self.pick(list(columns))
        meta = self.pick([{}, {"severity": "warning"}, {"severity": "info"}])
        return [
            self.pick(
                [
                    {
                        "expect_column_values_to_not_be_null": {
                            "column": column,
                            "mostly": 0.9,
                            **meta,
                        }
                    },
                    {"expect_column_to_exist": {"column": column, **meta}},
                    {"expect_table_row_count_to_be_between": {"min_value": 1, **meta}},
                    {
                        "expect_column_values_to_be_in_set": {
                            "column": column,
                            "value_set": self.some(WORDS, 1, 3),
                            **meta,
                        }
                    },
                ]
            )
        ]

    def build(self) -> Data:
        build: Data = {"command": self.pick(COMMANDS)}
        self.maybe(build, "schedule", lambda: self.pick(SCHEDULES))
        self.maybe(build, "image", self.image, 10 if self.in_cluster else 3)
        known = list(self.spec.get("sources", {}))
        if known:
            self.maybe(build, "from", lambda: self.some(known, 1, 2))
        return build

    # --- views ---

    def view(self, source: str) -> str:
        name = self.name("owners")
        columns = self.spec["sources"][source]["columns"]
        view: Data = {"source": source}
        fields = self.features_of(source)
        if any(_personal(column) for column in columns.values()) or self.yes():
            view["fields"] = self.some(fields, 1, 3)
        self.maybe(view, "ttl", lambda: self.pick(["1d", "1h", "3w", "90s"]))
        self.maybe(view, "materialize", lambda: self.pick(SCHEDULES))
        self.maybe(view, "owner", lambda: self.pick(OWNERS))
        self.maybe(view, "description", self.text)
        self.spec.setdefault("features", {})[name] = view
        return name

    def features_of(self, source: str) -> list[str]:
        columns = self.spec["sources"][source]["columns"]
        return [
            name
            for name, column in columns.items()
            if isinstance(column, str)
            or not (column.keys() & {"key", "known_after"} or _personal(column))
        ]

    def fields_of(self, view: str) -> list[str]:
        written = self.spec["features"][view]
        return list(written.get("fields", written.get("columns", self.features_of(written.get("source", "")) if "source" in written else ())))  # fmt: skip

    def on_demand(self, inputs: list[str]) -> str:
        name = self.name("owners")
        columns: Data = {}
        for _ in range(self.count(1, 2)):
            columns[self.column()] = self.pick(["float32", "int64", {"type": "string", "description": self.text()}])  # fmt: skip
        self.spec.setdefault("features", {})[name] = {
            "python": self.function(),
            "inputs": self.some(inputs, 1, 3),
            "columns": columns,
        }
        return name

    def function(self) -> str:
        """A function that no other view names: what it returns is one view's columns."""
        taken = {view.get("python") for view in self.spec.get("features", {}).values()}
        known = ("src.features:ratios", "a:b", "pkg.sub_mod.x:_f", "Field:pd", "src.features:f2")
        return str(self.pick([name for name in known if name not in taken]))

    # --- models ---

    def model(self, examples: str, views: list[str]) -> None:
        name = self.name("models")
        source = self.spec["sources"][examples]
        target = self.pick([c for c in source["columns"] if not _is_key(source["columns"][c])])
        model: Data = {"target": f"{examples}:{target}"}
        type_ = _type(source["columns"][target])
        own = [field for field in self.features_of(examples) if field != target]
        features = [f"{examples}:{field}" for field in self.some(own, 0 if views else 1, 3)]
        features += self.some(views, 0 if features else 1, 3)
        if self.yes(3) and features:
            inputs = [f for f in features if ":" in f]
            inputs += [f"{v}:{f}" for v in features if ":" not in v for f in self.fields_of(v)]
            plain = [i for i in inputs if "python" not in self.spec.get("features", {}).get(i.partition(":")[0], {})]  # fmt: skip
            if plain:
                features.append(self.on_demand(plain))
        if not features:
            return
        model["features"] = features
        tasks = ["classification"] if type_ in {"bool", "string"} else ["regression", "forecasting"]
        task = self.pick([*tasks, "custom"])
        self.maybe(model, "task", lambda: task, 5)
        task = model.get("task", tasks[0] if "one_of" not in _mapping(source["columns"][target]) else "classification")  # fmt: skip
        self.maybe(model, "description", self.text)
        self.maybe(model, "owner", lambda: self.pick(OWNERS))
        self.maybe(model, "prediction", lambda: self.pick(["p", "P_1", "yes", "churn_probability"]))
        self.maybe(model, "runbook", lambda: self.pick(URLS), 2)
        trained = self.yes(8)
        if trained:
            model["training"] = self.training()
            if task != "custom":
                self.maybe(
                    model,
                    "evaluation",
                    lambda: self.evaluation(task, self.groups(examples, own)),
                    7,
                )
        else:
            model["artifact"] = self.pick(["gs://b/m", "models/m", "s3://x/y"])
        if not trained or self.yes(7):
            model["serving"] = self.serving()
        pods = self.spec["platform"].get("orchestration") == "kubernetes"
        if trained or not (pods or self.looked_up(model)):
            self.maybe(model, "batch", lambda: self.batch(examples), 3)
            self.maybe(model, "monitoring", lambda: self.monitoring(model, examples, task), 6)
        self.maybe(model, "governance", lambda: self.governance(model), 3)
        self.spec.setdefault("models", {})[name] = model

    def training(self) -> Data:
        training: Data = {"command": self.pick(COMMANDS)}
        if self.in_cluster or self.yes(4):
            training["image"] = self.image()
        self.maybe(training, "framework", lambda: self.pick(["sklearn", "pytorch", "xgboost", "custom"]))  # fmt: skip
        self.maybe(training, "window", lambda: self.pick(["365d", "90d"]))
        self.maybe(
            training,
            "split",
            lambda: self.pick(
                [
                    {"validation": "30d", "test": "7d"},
                    {"validation": "10%", "test": 0.25},
                    {"test": "5%"},
                ]
            ),
        )
        self.maybe(training, "parameters", self.parameters, 4)
        self.maybe(training, "seed", lambda: self.pick([0, 1, 2**31 - 1]), 2)
        self.maybe(training, "schedule", lambda: self.pick(SCHEDULES))
        self.maybe(training, "resources", self.resources)
        self.maybe(training, "env", self.env)
        self.maybe(
            training, "paths", lambda: self.some(["src/**/*", "a b/*", "x.py", "it's/#1"], 1)
        )
        self.maybe(training, "timeout", lambda: self.pick(["3h", "45m", "2d", "90s"]))
        return training

    def parameters(self) -> Data:
        names = self.some(
            ["epochs", "lr", "class", "a.b", "yes", "N", "e5", "_x", "dropout.rate"], 1
        )
        return {name: self.pick([3, 0.05, True, 1e-7, -2, *WORDS]) for name in names}

    def env(self) -> Data:
        names = self.some(
            ["OMP_NUM_THREADS", "a", "yes", "_X", "PYTHONPATH", "HOME_DIR", "N"], 1, 3
        )
        return {name: self.secret() if self.yes(3) else self.pick(WORDS) for name in names}

    def resources(self) -> Data:
        return dict(
            self.some(
                [
                    ("cpu", self.pick([1, 0.5, "250m", 4, "1.5"])),
                    ("memory", self.pick(["512Mi", "16Gi", "1.5Gi", "2G"])),
                    ("limits", self.pick([{"cpu": 8}, {"memory": "64Gi"}])),
                    ("gpu", 1),
                ],
                1,
            )
        )

    def evaluation(self, task: str, own: list[str]) -> Data:
        made: Data = {"metrics": {}}
        for metric in self.some(list(METRICS[task]), 1, 3):  # type: ignore[index]
            made["metrics"][metric] = self.bound(METRICS[task][metric])  # type: ignore[index]
            if METRICS[task][metric] is not None and self.yes(3):  # type: ignore[index]
                made["metrics"][metric]["max_worse"] = self.pick([0.01, "1%", 0])
                self.needs.add("mlflow")
            self.maybe(made["metrics"][metric], "severity", lambda: self.pick(SEVERITIES), 2)
        if own:
            self.maybe(made, "slices", lambda: self.some(own, 1, 2))
        if own and task == "classification":
            limits = {
                "demographic_parity_difference": {"max": 0.1},
                "accuracy_ratio": {"min": "80%"},
            }
            self.maybe(made, "fairness", lambda: {self.pick(own): dict(self.some(list(limits.items()), 1))})  # fmt: skip
        return made

    def groups(self, source: str, among: list[str]) -> list[str]:
        """Columns whose values make groups."""
        columns = self.spec["sources"][source]["columns"]
        return [
            name
            for name in among
            if not _type(columns[name]).startswith("float")
            and not _mapping(columns[name]).get("unique")
        ]

    def bound(self, higher: bool | None) -> Data:
        """On the side from which a metric gets worse."""
        least, most = [{"min": 0.5}, {"min": "1%"}, {"min": 1e-3}], [{"max": 30}, {"max": "9%"}]
        if higher is None:
            return {"min": "10%", "max": "90%"}
        return dict(self.pick(least if higher else most))

    def serving(self) -> Data:
        self.needs.add("registry")
        runtime = self.pick([*RUNTIMES, "custom"])
        made: Data = {"runtime": runtime}
        unit, buckets = 1.0, (0.1, 0.25, 1.0)
        if runtime == "custom":
            made |= self.own_runtime(buckets)
            made["format"] = self.pick(["custom", "onnx", "mlflow"])
            buckets = tuple(made["metrics"].get("buckets", ()))
        else:
            known = RUNTIMES[runtime]
            made["format"] = self.pick(known.formats)
            unit = known.exposed.unit
            buckets = known.exposed.buckets if known.exposed.latency else ()
        self.maybe(made, "slo", lambda: self.slo([bound * unit for bound in buckets]), 6)
        self.maybe(made, "clients", lambda: self.some(["web", "crm", "a-b", "null", "0"], 1, 3))
        self.maybe(made, "replicas", lambda: self.pick([{"min": 1}, {"min": 2, "max": 10}, {"min": 3}, {"max": 4}]))  # fmt: skip
        self.maybe(made, "autoscale", lambda: self.pick([{"cpu": "70%"}, {"memory": 0.8}, {"cpu": 0.5, "memory": "60%"}]))  # fmt: skip
        self.maybe(made, "resources", self.resources)
        self.maybe(made, "env", self.env)
        self.maybe(made, "load_time", lambda: self.pick(["30s", "20m", "1h"]))
        self.maybe(made, "timeout", lambda: self.pick(["1s", "5m"]))
        return made

    def own_runtime(self, buckets: tuple[float, ...]) -> Data:
        metrics: Data = {"requests": self.pick(["requests_total", "ns:requests_total"])}
        metrics |= self.pick([{"errors": 'code=~"5.."'}, {"errors_metric": "failures_total"}])
        if self.yes(6):
            metrics |= {"latency": "latency_seconds", "buckets": list(buckets)}
        else:
            self.maybe(metrics, "matchers", lambda: 'path="/predict"')
        self.maybe(metrics, "path", lambda: "/m/x")
        return {
            "image": self.image()
            if self.yes()
            else self.pick(["ghcr.io/a/b:1.0", "x/y@sha256:" + "0" * 64]),
            "metrics": metrics,
        } | self.pick([{}, {"port": 9000}])

    def slo(self, buckets: list[float]) -> Data:
        promises: list[tuple[str, Any]] = [
            ("availability", self.pick(["99.9%", 0.99, "99.95%", "95%"]))
        ]
        whole = [b for b in buckets if b >= 0.001 and abs(b * 1000 - round(b * 1000)) < 1e-9]
        if whole:
            bucket = self.pick(whole)
            written = f"{round(bucket * 1000)}ms" if bucket < 1 or self.yes() else f"{bucket:g}s"
            promises.append(("latency", {self.pick(["p95", "p99", "p99.9"]): written}))
        return dict(self.some(promises, 1)) | self.pick([{}, {"window": "28d"}, {"window": "1w"}])

    def batch(self, examples: str) -> Data:
        to = self.name("owners")
        self.needs.add("mlflow")
        local = () if self.in_cluster else ("parquet", "csv")
        kind = self.pick(["bigquery", "duckdb", "postgres", *local])
        place = self.location(kind)
        self.spec["sources"][to] = {kind: "data/scores" if "://" in place else place}
        made = {"from": examples, "to": to}
        self.maybe(made, "schedule", lambda: self.pick(SCHEDULES), 6)
        self.maybe(made, "resources", self.resources, 2)
        return made

    def monitoring(self, model: Data, examples: str, task: str) -> Data:
        self.needs |= {"pushgateway", "mlflow"}
        made: Data = {"current": examples}
        own = not self.looked_up(model)
        if "batch" in model and "training" in model and own and self.yes():
            made["current"] = model["batch"]["to"]
        elif "training" not in model or (own and self.yes(2)):
            made["reference"] = examples
            answer = model.get("prediction", "prediction")
            self.spec["sources"][examples]["columns"].setdefault(answer, "float64")
        self.maybe(made, "schedule", lambda: self.pick(SCHEDULES))
        self.maybe(made, "window", lambda: self.pick(["1d", "7d", "6h"]))
        self.maybe(made, "drift", lambda: self.drift(self.is_numeric(model)), 6)
        keys = any(map(_is_key, self.spec["sources"][examples]["columns"].values()))
        matched = keys or made["current"] == examples
        names = list(METRICS.get(task, ())) if matched else []  # type: ignore[call-overload]
        made["performance"] = {
            name: self.bound(METRICS[task][name])  # type: ignore[index]
            | self.pick([{}, {"for": "10m"}, {"severity": "info"}])
            for name in self.some(names, 0, 2)
        }
        self.maybe(made, "business", lambda: self.queries("business"))
        self.maybe(made, "resources", self.resources, 2)
        if "evaluation" in model and self.yes(4):
            self.needs |= {"trigger", "repository"}
            made["cooldown"] = self.pick(["7d", "12h"])
            made["respond"] = {"drift": "retrain"} | (
                {"performance": "retrain"} if made["performance"] else {}
            )
        return made

    def looked_up(self, model: Data) -> bool:
        """Whether some feature is not of the examples' own source."""
        source = model["target"].partition(":")[0]
        return any(feature.partition(":")[0] != source for feature in model["features"])

    def is_numeric(self, model: Data) -> bool:
        """Whether all features are numbers; a whole view counts as mixed."""
        sources = self.spec["sources"]
        split = [feature.split(":") for feature in model["features"]]
        return all(
            len(parts) == 2
            and parts[0] in sources
            and _type(sources[parts[0]]["columns"][parts[1]]) in NUMERIC
            for parts in split
        )

    def drift(self, numeric: bool) -> Data:
        made: Data = {"method": self.pick([*METHODS, *(NUMERIC_METHODS if numeric else ())])}
        self.maybe(made, "threshold", lambda: self.pick([0.2, 0.05, 0.9]))
        self.maybe(made, "share", lambda: self.pick([{"max": "30%"}, {"max": 0}, {"max": 0.99, "for": "1h"}]))  # fmt: skip
        return made

    def queries(self, chapter: str) -> Data:
        return {
            self.name(chapter): {"query": self.pick(QUERIES)}
            | self.pick([{"min": 10000}, {"max": "5%"}, {"max": -0.5, "for": "10m"}, {"min": 1e-9}])
            | self.pick([{}, {"severity": "critical"}, {"description": self.text()}])
            for _ in range(self.count(1, 2))
        }

    def governance(self, model: Data) -> Data:
        made: Data = {}
        self.maybe(made, "approvals", lambda: self.pick([0, 1, 3]))
        self.maybe(made, "lawful_basis", lambda: self.pick(["consent", "legitimate_interest"]))
        self.maybe(made, "use", lambda: {"for": [self.text()], "not_for": [self.text()]}, 4)
        if self.yes(3):
            made["risk"] = self.pick(["limited", "high"])
            if made["risk"] == "high" and (
                ("training" in model and "evaluation" not in model)
                or ("serving" in model and "monitoring" not in model)
            ):
                made["risk"] = "limited"
            if made["risk"] == "high":
                made |= {"approvals": 2, "use": {"for": [self.text()]}}
                model["owner"] = self.pick(OWNERS)
        return made

    # --- the rest ---

    def alerts(self) -> None:
        alerts: Data = {}
        severities = ["critical", *self.some(["warning", "info"])]
        if self.yes(6):
            channels: Data = {}
            routes: Data = {}
            for severity in severities:
                if channels and self.yes(3):
                    routes[severity] = self.pick(list(channels))
                    continue
                name = self.name("channels")
                channels[name] = self.channel()
                routes[severity] = name
            alerts |= {"channels": channels, "routes": routes}
        self.maybe(alerts, "rules", lambda: self.queries("rules"))
        if alerts:
            self.spec["alerts"] = alerts

    def channel(self) -> Data:
        kind = self.pick(["pagerduty", "slack", "email", "webhook"])
        if kind == "pagerduty":
            return {"pagerduty": {"key": self.secret()}}
        if kind == "slack":
            channel = self.pick(["#growth-ml", "@ada", "#\u540d", "#a'b", '#"q"', "#{{x}}"])
            return {"slack": {"channel": channel, "webhook": self.secret()}}
        if kind == "webhook":
            return {"webhook": {"url": self.secret()}}
        signed = (
            {"username": self.pick(["ada", *WORDS[:5]]), "password": self.secret()}
            if self.yes()
            else {}
        )
        return {
            "email": {
                "to": self.pick(["a@example.com", "a+b@x.org, o'c@y.org"]),
                "from": "mlops@example.com",
                "smarthost": "mail.example.com:587",
            }
            | signed
        }

    def environments(self) -> None:
        names = self.some(["dev", "staging", "on", "test_2", "prod", "null", "eu_production"], 0, 3)
        if not names:
            return
        used = [
            name
            for name, model in self.spec.get("models", {}).items()
            if model.keys() & {"serving", "batch", "monitoring"}
        ]
        self.spec["environments"] = {}
        for position, name in enumerate(names):
            made: Data = {}
            self.maybe(made, "namespace", lambda at=position: f"ns-{at}")
            self.maybe(made, "deploy", lambda: self.pick(["automatic", "manual"]))
            self.maybe(made, "approvers", lambda: self.some(OWNERS, 1, 2))
            self.maybe(made, "url", lambda: self.pick(URLS))
            if used:
                chosen = self.some(used, 0, 3)
                self.maybe(
                    made, "versions", lambda of=chosen: {m: self.pick(VERSIONS) for m in of}, 5
                )
            self.spec["environments"][name] = made

    def services(self) -> None:
        urls = ("mlflow", "pushgateway", "prometheus", "alertmanager", "grafana")
        services: Data = {
            name: {"url": self.pick(URLS)} for name in urls if name in self.needs or self.yes(2)
        }
        if "kafka" in self.needs:
            services["kafka"] = {"brokers": self.pick(["k:9092", "a.b:1,c-d.e:65535"])}
        for kind in ("duckdb", "postgres", "snowflake", "redshift", "bigquery", "spark"):
            if kind in self.needs:
                services[kind] = {"connection": self.secret()}
        if self.spec.get("features"):
            feast = self.pick(["none", "sqlite", "redis"])
            if feast == "redis":
                services["feast"] = {"online_store": "redis", "connection": self.secret()}
            elif feast == "sqlite":
                services["feast"] = {"registry": self.pick(["gs://b/r.db", "data/registry.db"])}
        if services:
            self.spec["services"] = services

    def root(self) -> None:
        if "registry" in self.needs or self.yes(2):
            self.spec["registry"] = self.pick(
                ["registry.example.com/growth/x", "localhost:5000/a.b_c"]
            )
        if "repository" in self.needs or self.yes():
            self.spec["repository"] = self.pick(
                ["gitlab.example.com/growth/churn", "g:8443/A/b.c/d_e"]
            )
        if "trigger" in self.needs:
            self.spec.setdefault("ci", {})["trigger"] = self.secret()
        self.maybe(self.spec, "description", self.text)
        self.maybe(self.spec, "owner", lambda: self.pick(OWNERS), 4)
        self.maybe(self.spec, "storage", lambda: self.pick(["gs://acme/x", "s3://b"]), 4)
        self.maybe(self.spec, "timezone", lambda: self.pick(ZONES), 4)
        ci = {}
        self.maybe(ci, "tags", lambda: {"default": self.some(WORDS, 1, 2), "gpu": ["gpu"]}, 2)
        self.maybe(
            ci, "file", lambda: self.pick(["ci/mlops.gitlab-ci.yml", ".gitlab/mlops.yml"]), 2
        )
        if ci:
            self.spec["ci"] = self.spec.get("ci", {}) | ci

    def make(self) -> Data:
        self.spec["project"] = self.name("project")
        self.spec["platform"] = {
            role: word
            for role, words in (
                ("orchestration", ("gitlab", "kubernetes")),
                ("training", ("gitlab", "kubernetes")),
                ("metrics", ("prometheus", "prometheus_operator")),
            )
            if (word := self.pick(words)) != words[0] or self.yes()
        }
        if self.yes():
            self.spec["platform"]["dashboards"] = "grafana"
        for _ in range(self.count(0, 2)):
            entity = self.name("entities")
            self.entities[entity] = (self.column(), self.pick(["int64", "string", "int32"]))
        views: list[str] = []
        if self.entities:
            for _ in range(self.count(0, 2)):
                keys = self.some(list(self.entities), 1, 2)
                read = self.source(entities=keys, kind=self.offline)
                views += [
                    self.view(read) for _ in range(self.count(1, 1)) if self.features_of(read)
                ]
        for _ in range(self.count(1, 2)):
            kind = self.pick([self.offline, "parquet", "csv", "duckdb", "bigquery"])
            examples = self.source(entities=self.entities, kind=kind, labels=1)
            for _ in range(self.count(1, 2)):
                self.model(examples, views)
        self.alerts()
        self.environments()
        self.services()
        self.root()
        return self.spec


def _mapping(column: Any) -> Data:
    return column if isinstance(column, dict) else {"type": column}


def _type(column: Any) -> str:
    return str(_mapping(column)["type"])


def _is_key(column: Any) -> bool:
    return "key" in _mapping(column)


def _personal(column: Any) -> bool:
    return "personal" in _mapping(column)


_DTYPES = {"string": "str", "bool": "bool"}


def functions(spec: Data) -> dict[str, str]:
    """The user's own modules that a spec's on-demand views import: path → text."""
    made: dict[str, str] = {}
    for view in spec.get("features", {}).values():
        if "python" not in view:
            continue
        module, _, function = view["python"].partition(":")
        path = module.replace(".", "/") + ".py"
        columns = ", ".join(
            f"{name!r}: pandas.Series(range(len(inputs))).astype({_DTYPES.get(_type(c), _type(c))!r})"
            for name, c in view["columns"].items()
        )
        text = made.setdefault(path, "import pandas\n")
        made[path] = (
            f"{text}\n\ndef {function}(inputs):\n    return pandas.DataFrame({{{columns}}})\n"
        )
    return made


@st.composite
def specs(draw: Callable[..., Any]) -> Data:
    """A spec as plain data."""
    return Maker(draw).make()


# --- one spec in many writings ------------------------------------------------------------------

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What may stand in a spec only as an escape."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NOT_TEXT = {"null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE"}


def as_json(spec: Data) -> str:
    """As JSON, which is YAML."""
    return _escaped(json.dumps(spec, ensure_ascii=False, indent=1)) + "\n"


def _escaped(text: str) -> str:
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def as_blocks(spec: Data, *, comments: bool = False, quote: str = "double", indent: int = 2) -> str:
    """As block YAML; comments, blank lines, the style of quotes and the indent mean nothing.

    `quote` is double, single (where single quotes can say it) or few (none where none is needed).
    """
    return "".join(_lines(spec, 0, comments, quote, indent))


def _lines(node: Any, depth: int, comments: bool, quote: str, indent: int) -> Iterator[str]:
    pad = " " * depth
    items = node.items() if isinstance(node, dict) else ((None, item) for item in node)
    for key, value in items:
        lead = pad + ("-" if key is None else _scalar(key, quote) + ":")
        if comments:
            yield f'\n{pad}# it\'s a {{comment}}: "with" [marks] - and \u540d\n'
        if isinstance(value, (dict, list)) and value:
            yield lead + ("  # here too\n" if comments else "\n")
            yield from _lines(value, depth + indent, comments, quote, indent)
        else:
            yield f"{lead} {_scalar(value, quote)}{'   # and here' if comments else ''}\n"


def _scalar(value: Any, quote: str) -> str:
    text = _escaped(json.dumps(value, ensure_ascii=False))
    if not isinstance(value, str):
        return text
    if quote == "few" and _PLAIN.match(value) and value not in _NOT_TEXT:
        return value
    single = quote != "double" and value.isprintable()
    return "'" + value.replace("'", "''") + "'" if single else text

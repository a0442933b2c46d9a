"""Requests to a served model in the open inference protocol (V2), made by the model's own signature.

https://github.com/kserve/open-inference-protocol: the server says which inputs it takes and of
which types, so nothing about the model is written down here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loop.servers import ask
from loop.stage import LoopError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Endpoint:
    """A model that answers.

    Attributes:
        url: the server's address.
        model: the model's name there.
        inputs: its inputs as the server describes them: name, datatype, parameters.
    """

    url: str
    model: str
    inputs: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, url: str, model: str) -> Endpoint:
        """The model as its server describes it."""
        described = ask(f"{url}/v2/models/{model}").json()
        return cls(url, model, tuple(described["inputs"]))

    def predict(self, rows: pd.DataFrame) -> list[float]:
        """One prediction for each row.

        Raises:
            LoopError: the server refuses, or answers something else.
        """
        answer = ask(f"{self.url}/v2/models/{self.model}/infer", self._body(rows))
        if answer.status != 200:
            raise LoopError(f"{self.model} answered {answer.status}: {answer.text[:500]}")
        found: list[float] = answer.json()["outputs"][0]["data"]
        if len(found) != len(rows):
            raise LoopError(f"{self.model} gave {len(found)} predictions for {len(rows)} rows")
        return found

    def version(self, rows: pd.DataFrame) -> str:
        """The version that answers."""
        said = ask(f"{self.url}/v2/models/{self.model}/infer", self._body(rows)).json()
        return str(said["model_version"])

    def _body(self, rows: pd.DataFrame) -> dict[str, Any]:
        """One request for all rows: a column each, empty cells as null."""
        inputs = [
            {
                "name": column["name"],
                "datatype": column["datatype"],
                "parameters": column["parameters"],
                "shape": [len(rows), 1],
                "data": [None if cell != cell else cell for cell in rows[column["name"]].tolist()],  # noqa: PLR0124 - NaN
            }
            for column in self.inputs
        ]
        return {"parameters": {"content_type": "pd"}, "inputs": inputs}

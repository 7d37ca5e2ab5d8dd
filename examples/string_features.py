"""Runs a scikit-learn pipeline whose features and classes are words, converted to ONNX.

    pip install 'redisai-rs[onnx]' scikit-learn skl2onnx
    python string_features.py

Customers of a shop that never was: which of them will leave?
"""

from __future__ import annotations

import numpy as np
import redisai_rs as rai
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

WORDS = ["plan", "country"]
NUMBERS = ["months", "visits"]
PLANS = np.array(["free", "basic", "business"])
COUNTRIES = np.array(["Côte d'Ivoire", "Österreich", "日本"])


def main() -> None:
    """Fits, converts, loads and predicts."""
    columns, left = customers(2_000)
    pipeline = Pipeline(
        [
            (
                "features",
                ColumnTransformer(
                    [
                        ("words", OneHotEncoder(), [0, 1]),
                        ("numbers", StandardScaler(), [2, 3]),
                    ]
                ),
            ),
            ("classifier", LogisticRegression()),
        ]
    )
    pipeline.fit(table(columns), left)
    types = [(name, StringTensorType([None, 1])) for name in WORDS]
    types += [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    blob = to_onnx(pipeline, initial_types=types, target_opset=17).SerializeToString()

    with rai.Engine() as engine:
        model = engine.load(blob)
        print(f"inputs: {', '.join(model.inputs)}")
        new, _ = customers(5, seed=2)
        label, probability = model.run(new)
    for row in range(5):
        words = " ".join(f"{new[name][row, 0]}" for name in WORDS)
        print(f"{words}: {label[row].decode()} ({probability[row].max():.0%})")
    expected = pipeline.predict_proba(table(new))
    print(f"as scikit-learn itself: {np.allclose(probability, expected, atol=1e-4)}")


def customers(count: int, seed: int = 1) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Gives a column for each feature, and whether the customer left."""
    random = np.random.default_rng(seed)
    plan, country = (random.integers(3, size=(count, 1)) for _ in range(2))
    months, visits = random.exponential(20, (count, 1)), random.exponential(5, (count, 1))
    leaning = 1.5 - plan + 0.5 * country - months / 20 - visits / 5
    left = leaning + random.logistic(size=(count, 1)) > 0
    columns = {
        "plan": PLANS[plan],
        "country": COUNTRIES[country],
        "months": months.astype(np.float32),
        "visits": visits.astype(np.float32),
    }
    return columns, np.where(left, "leaves", "stays")[:, 0]


def table(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Gives the columns side by side, as scikit-learn wants them."""
    return np.hstack([column.astype(object) for column in columns.values()])


if __name__ == "__main__":
    main()

"""Train DeepDCR v1's calibrated linear SVM on a table, as published, and export it as numbers.

    python Testing/Benchmarks/dcr_difficulty_training.py TABLE.csv OUT.json --outcome-column target \
        --cohort "internal, hospital X" [--codes surgical_eye:left=0,right=1]

Needs scikit-learn and pandas, which nothing else of this project needs. Columns have the names of the
published schema; the outcome column holds 0 and 1. Numbers: median imputation with indicators of what is
missing, z-scores. Categories: commonest category, one-hot. LinearSVC with balanced classes, sigmoid
calibration in 3 folds, C chosen by AUC in 5 folds; accuracies by nested 5 x 3 cross-validation. Research use
only. Not a medical device.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from ctinsight.evaluation.classification import auc, youden_threshold
from ctinsight.evaluation.difficulty_metrics import bootstrap_interval
from ctinsight.scores.tabular import Accuracy, CategoricalFeature, Member, NumericFeature, TabularModel
from ctinsight.scores.tabular_form import to_json

CATEGORICAL = (
    "surgical_eye", "sex", "symptoms", "severity_of_symptoms(MUNK)", "previous_treatment_history",
    "systemic_medical_history",
)  # fmt: skip
GRID = {"clf__estimator__C": [0.01, 0.05, 0.1, 0.5, 1, 2]}
SEED = 42


def pipeline(numeric: list[str], categorical: list[str]) -> Pipeline:
    """Return the published pipeline, not fitted."""
    numbers = Pipeline(
        [("impute", SimpleImputer(strategy="median", add_indicator=True)), ("scale", StandardScaler())]
    )
    words = Pipeline(
        [
            ("impute", SimpleImputer(strategy="most_frequent")),
            ("code", OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
        ]
    )
    table = ColumnTransformer([("num", numbers, numeric), ("cat", words, categorical)])
    machine = LinearSVC(class_weight="balanced", random_state=SEED, max_iter=10_000)
    calibrated = CalibratedClassifierCV(machine, method="sigmoid", cv=3)
    return Pipeline([("pre", table), ("clf", calibrated)])


def search(numeric: list[str], categorical: list[str], folds: int, seed: int) -> GridSearchCV:
    """Return the search for C by AUC."""
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return GridSearchCV(pipeline(numeric, categorical), GRID, scoring="roc_auc", cv=split)


def exported(fitted: Pipeline, table: pd.DataFrame, facts: dict) -> TabularModel:
    """Take the numbers out of a fitted pipeline."""
    columns = {name: names for name, _, names in fitted["pre"].transformers_}
    numbers, words = fitted["pre"].named_transformers_["num"], fitted["pre"].named_transformers_["cat"]
    scale, flagged = numbers["scale"], list(numbers["impute"].indicator_.features_)
    count = len(columns["num"])
    numeric = tuple(
        NumericFeature(
            name, "", float(numbers["impute"].statistics_[n]), float(scale.mean_[n]), float(scale.scale_[n]),
            float(table[name].min()), float(table[name].max()),
            _indicator(scale, count + flagged.index(n)) if n in flagged else None,
        )
        for n, name in enumerate(columns["num"])
    )  # fmt: skip
    categorical = tuple(
        CategoricalFeature(
            name, tuple(str(c) for c in words["code"].categories_[n]), str(words["impute"].statistics_[n]),
            facts["codes"].get(name, ()),
        )
        for n, name in enumerate(columns["cat"])
    )  # fmt: skip
    members = tuple(
        Member(
            np.asarray(c.estimator.coef_[0], dtype=np.float64), float(c.estimator.intercept_[0]),
            float(c.calibrators[0].a_), float(c.calibrators[0].b_),
        )
        for c in fitted["clf"].calibrated_classifiers_
    )  # fmt: skip
    return TabularModel(
        facts["name"], facts["outcome"], numeric, categorical, members, facts["threshold"],
        facts["cohort"], facts["accuracies"],
    )  # fmt: skip


def _indicator(scale: StandardScaler, column: int) -> tuple[float, float]:
    return float(scale.mean_[column]), float(scale.scale_[column])


def out_of_fold(table: pd.DataFrame, y: np.ndarray, numeric: list[str], categorical: list[str]) -> np.ndarray:
    """Return nested 5 x 3 cross-validated probabilities."""
    found = np.zeros(len(y))
    outer = StratifiedKFold(5, shuffle=True, random_state=SEED)
    for fold, (train, test) in enumerate(outer.split(table, y), start=1):
        best = search(numeric, categorical, 3, SEED + fold).fit(table.iloc[train], y[train])
        found[test] = best.predict_proba(table.iloc[test])[:, 1]
    return found


def train(table: pd.DataFrame, outcome: str, cohort: str, codes: dict) -> tuple[TabularModel, np.ndarray]:
    """Fit the published model and return it with the out-of-fold probabilities."""
    y = table[outcome].to_numpy(dtype=int)
    categorical = [c for c in CATEGORICAL if c in table.columns]
    numeric = [c for c in table.columns if c not in (*categorical, outcome)]
    # As scikit-learn sees them the categories are words; a missing one stays missing.
    words = table[categorical].astype(object).where(table[categorical].notna(), np.nan)
    features = pd.concat([table[numeric].astype(float), words], axis=1)
    chances = out_of_fold(features, y, numeric, categorical)
    low, high = bootstrap_interval(y, chances, lambda truth, p: auc(np.asarray(p), np.asarray(truth) == 1))
    best = search(numeric, categorical, 5, SEED).fit(features, y)
    accuracy = Accuracy(
        "AUC", auc(chances, y == 1), low, high, len(y), int(y.sum()), f"{cohort}, nested 5 x 3"
    )
    facts = {
        "name": "A3_full_hybrid_LinearSVM_Cal", "outcome": outcome, "cohort": cohort, "codes": codes,
        "threshold": youden_threshold(chances, y == 1), "accuracies": (accuracy,),
    }  # fmt: skip
    return exported(best.best_estimator_, features, facts), chances


def main() -> None:
    """Train on the table that was named."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("table", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--outcome-column", default="target")
    parser.add_argument("--cohort", required=True)
    parser.add_argument("--codes", action="append", default=[])
    arguments = parser.parse_args()
    codes = {}
    for text in arguments.codes:
        name, pairs = text.split(":", 1)
        codes[name] = tuple(tuple(pair.split("=", 1)) for pair in pairs.split(","))
    table = pd.read_csv(arguments.table)
    model, _ = train(table, arguments.outcome_column, arguments.cohort, codes)
    arguments.out.write_text(to_json(model), encoding="utf-8")


if __name__ == "__main__":
    main()

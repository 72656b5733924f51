"""What is built on the measures: scores, networks, growth, and whether they point the same way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ctinsight.manifest import input_facts, network_engine, software_versions
from ctinsight.tasks.nodule.disagreement import (
    RULE,
    agreement_finding,
    disagreement_sentence,
    pointer_table,
    pointers,
)
from ctinsight.tasks.nodule.emv_answer import NetworkAnswers, Networks, answer_with, manifest_entry
from ctinsight.tasks.nodule.emv_findings import (
    network_checks,
    network_findings,
    network_statements,
    network_tables,
)
from ctinsight.tasks.nodule.growth_findings import GROWTH_STATEMENTS, growth_findings, growth_table
from ctinsight.tasks.nodule.prior import Growths, compare_with_prior
from ctinsight.tasks.nodule.score_case import ScoreCase, check_count, check_stated_age, contradictions
from ctinsight.tasks.nodule.scores_answer import all_scores
from ctinsight.tasks.nodule.scores_findings import score_findings, score_statements, score_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.finding import Check
    from ctinsight.progress import Progress
    from ctinsight.result import CaseResult
    from ctinsight.tasks.nodule.disagreement import Pointer
    from ctinsight.tasks.nodule.measures import NoduleMeasures
    from ctinsight.tasks.nodule.parameters import Parameters
    from ctinsight.tasks.nodule.scores_answer import ScoreAnswer
    from ctinsight.volume import Scan


@dataclass(frozen=True, eq=False)
class Asked:
    """One request: the CT, what the user chose and stated, an earlier CT, and the networks that are there."""

    scan: Scan
    parameters: Parameters
    prior: Scan | None = None
    networks: Networks = field(default_factory=Networks)


@dataclass(frozen=True, eq=False)
class Answers:
    """All answers of one request; each mapping goes by the number of the nodule."""

    cases: Mapping[int, ScoreCase]
    scores: Mapping[int, tuple[ScoreAnswer, ...]]
    networks: NetworkAnswers
    growths: Growths | None
    pointers: Mapping[int, tuple[Pointer, ...]]


def answer_all(asked: Asked, measures: Mapping[int, NoduleMeasures], progress: Progress) -> Answers:
    """Answer everything that the measures allow; each source by itself."""
    scan, parameters = asked.scan, asked.parameters
    networks = answer_with(asked.networks, scan.volume, measures, parameters.networks, progress=progress)
    growths = None
    if asked.prior is not None:
        growths = compare_with_prior(scan, asked.prior, parameters, measures, progress=progress)
    compared = growths.compared if growths else {}
    changes = {n: one.change for n, one in compared.items()}
    cases = {
        n: ScoreCase(
            number=n,
            measures=m,
            stated=parameters.stated(n),
            patient=parameters.patient,
            measured_count=len(measures),
            change=changes.get(n),
            prior_compared=bool(compared),
        )
        for n, m in measures.items()
    }
    scores = {n: all_scores(case) for n, case in cases.items()}
    trees = {n: answer.tree for n, answer in networks.answers.items()}
    found = {n: pointers(scores[n], trees.get(n), compared.get(n)) for n in measures}
    return Answers(cases, scores, networks, growths, found)


def with_answers(result: CaseResult, answers: Answers, asked: Asked) -> CaseResult:
    """Add the answers to a result of measures."""
    agreements = [agreement_finding(n, found) for n, found in answers.pointers.items()]
    growths = answers.growths
    numbers = tuple(answers.cases)
    grown = () if growths is None else growth_findings(growths, numbers)
    options = asked.parameters.networks
    tables = score_tables(answers.cases, answers.scores)
    tables += network_tables(answers.networks, asked.networks, options)
    tables += () if growths is None else (growth_table(growths, numbers),)
    return replace(
        result,
        findings=(
            *result.findings,
            *score_findings(answers.scores),
            *network_findings(answers.networks),
            *grown,
            *(finding for finding in agreements if finding is not None),
        ),
        tables=(*result.tables, *tables, pointer_table(answers.pointers)),
        checks=(*result.checks, *_checks(answers, asked)),
        statements=(*result.statements, *_statements(answers, asked)),
        manifest={**result.manifest, **_manifest(answers, asked)},
    )


def _checks(answers: Answers, asked: Asked) -> tuple[Check, ...]:
    measures = {n: case.measures for n, case in answers.cases.items()}
    return (
        *check_count(asked.parameters.patient, len(measures)),
        *check_stated_age(asked.parameters.patient, asked.scan.acquisition.age_years),
        *(check for case in answers.cases.values() for check in contradictions(case)),
        *asked.networks.checks,
        *network_checks(answers.networks, asked.scan.volume, measures),
        *(answers.growths.checks if answers.growths else ()),
    )


def _statements(answers: Answers, asked: Asked) -> tuple[str, ...]:
    sentences = [disagreement_sentence(n, found) for n, found in answers.pointers.items()]
    several = any(len(found) > 1 for found in answers.pointers.values())
    return (
        *(sentence for sentence in sentences if sentence is not None),
        *((RULE,) if several else ()),
        *score_statements(answers.scores),
        *network_statements(answers.networks, asked.networks, asked.parameters.networks),
        *(GROWTH_STATEMENTS if answers.growths and answers.growths.compared else ()),
    )


def _manifest(answers: Answers, asked: Asked) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "networks": manifest_entry(asked.networks, answers.networks, asked.parameters.networks)
    }
    if asked.networks.scorer is not None:
        names = ", ".join(f"{card.name} {card.version}" for card in asked.networks.cards.values())
        entry |= {
            "tier": "with weights",
            "weights": names,
            "device": asked.networks.device,
            **network_engine("EMV-3D-CNN in torch"),
            "software": software_versions("torch"),
        }
    if asked.prior is not None:
        entry["prior_input"] = input_facts(asked.prior)
    return entry

"""The networks of EMV-3D-CNN in one request: found or missed, run once for all nodules, and put in words."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ctinsight.errors import (
    DependencyMissingError,
    InputRefusedError,
    TermsNotAcceptedError,
    WeightsMissingError,
    WrongWeightsError,
)
from ctinsight.finding import Check, Outcome
from ctinsight.nets.emv_networks import EmvTask, networks_of
from ctinsight.tasks.nodule.emv import NoduleScorer
from ctinsight.tasks.nodule.emv_options import Use

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.models.card import ModelCard
    from ctinsight.nets.emv_networks import EmvNetwork
    from ctinsight.progress import Progress
    from ctinsight.tasks.nodule.emv import NoduleAnswer
    from ctinsight.tasks.nodule.emv_installed import LoadedNet
    from ctinsight.tasks.nodule.emv_options import NetworkOptions
    from ctinsight.tasks.nodule.emv_sensitivity import ClickSensitivity, OrderChange
    from ctinsight.tasks.nodule.measures import NoduleMeasures
    from ctinsight.volume import Volume

NOT_INSTALLED = (
    "Networks: the weights of EMV-3D-CNN are not installed, so there are no scores of it."
    " --networks says how to get them."
)
SWITCHED_OFF = "Networks: switched off, so there are no scores of EMV-3D-CNN."


@dataclass(frozen=True, eq=False)
class Networks:
    """What there is to score with: ready networks and their cards, or why there are none."""

    scorer: NoduleScorer | None = None
    cards: Mapping[EmvNetwork, ModelCard] = field(default_factory=dict)
    device: str = ""
    note: str = ""
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, eq=False)
class NetworkAnswers:
    """What the networks said: number of a nodule -> tree, and what moving or turning it changes."""

    answers: Mapping[int, NoduleAnswer] = field(default_factory=dict)
    orders: Mapping[int, tuple[OrderChange, ...]] = field(default_factory=dict)
    clicks: Mapping[int, ClickSensitivity] = field(default_factory=dict)
    seconds: float = 0.0


def prepare_networks(options: NetworkOptions) -> Networks:
    """Load the networks that are given or installed.

    Raises
    ------
    WeightsMissingError
        They are required, and not all three of the first question are there.
    TermsNotAcceptedError
        They are required, and the authors' terms were not accepted.
    WrongWeightsError, DependencyMissingError
        They are required, and cannot be loaded.
    """
    if options.use is Use.OFF:
        return Networks(note=SWITCHED_OFF)
    try:
        loaded = _load(options)
        return (
            _ready(loaded, options) if loaded or options.use is Use.REQUIRED else Networks(note=NOT_INSTALLED)
        )
    except (WeightsMissingError, TermsNotAcceptedError, WrongWeightsError, DependencyMissingError) as error:
        if options.use is Use.REQUIRED:
            raise
        left_out = Check(
            "emv_networks",
            "Networks",
            Outcome.WARN,
            f"left out: {error.found}",
            error.expected,
            error.remedy,
        )
        return Networks(note="Networks: left out, see the checks.", checks=(left_out,))


def _load(options: NetworkOptions) -> Mapping[EmvNetwork, LoadedNet]:
    if options.weights is not None:
        from ctinsight.tasks.nodule.emv_files import load_files

        return load_files(options.weights, accept_terms=options.accept_terms)
    from ctinsight.models.store import user_store
    from ctinsight.tasks.nodule.emv_installed import load_installed

    return load_installed(user_store())


def _ready(loaded: Mapping[EmvNetwork, LoadedNet], options: NetworkOptions) -> Networks:
    if not loaded:
        raise WeightsMissingError(
            found="none of the nine networks of EMV-3D-CNN is installed",
            expected="the three networks of the first question at least",
            remedy="The authors publish no weights openly: ask them, then import each with ctinsight models "
            "import FILE --model NAME --accept-terms, or name their folder with --weights. Measures and "
            "published scores need no weights.",
        )
    from ctinsight.inference.nodulewise import NoduleEngine, NoduleOptions

    engine = NoduleEngine({n: net for n, (net, _) in loaded.items()}, NoduleOptions(options.device))
    scorer = NoduleScorer(engine, options.settings)
    cards = {network: card for network, (_, card) in loaded.items()}
    return Networks(scorer, cards, f"{engine.device.kind}: {engine.device.name}")


def answer_with(
    networks: Networks,
    volume: Volume,
    measures: Mapping[int, NoduleMeasures],
    options: NetworkOptions,
    *,
    progress: Progress,
) -> NetworkAnswers:
    """Score all nodules at the centres of their outlines as one piece of work."""
    scorer = networks.scorer
    if scorer is None or not measures:
        return NetworkAnswers()
    started = time.perf_counter()
    centres = [m.centre_ras for m in measures.values()]
    answers = dict(
        zip(measures, scorer.answer(volume, centres, progress=progress, span=(0.8, 0.92)), strict=True)
    )
    seconds = time.perf_counter() - started
    orders, clicks = {}, {}
    for n, answer in answers.items():
        if options.order_check:
            orders[n] = scorer.order_sensitivity(volume, answer)
        if options.click_sensitivity:
            progress.report(f"moving the centre of nodule {n}", 0.93)
            with suppress(InputRefusedError):  # a moved centre left the image: the nodule lies at its edge
                clicks[n] = scorer.click_sensitivity(volume, answer.cube.center_ras)
    return NetworkAnswers(answers, orders, clicks, seconds)


def calibration_of(cards: Mapping[EmvNetwork, ModelCard], task: EmvTask) -> tuple[str, float] | None:
    """Return the calibration set and its prevalence, where the cards of all three networks name the same."""
    named = set()
    for network in networks_of(task):
        facts = cards[network].facts if network in cards else {}
        named.add((facts.get("calibration_set"), facts.get("calibration_prevalence")))
    if len(named) != 1:
        return None
    name, prevalence = named.pop()
    good = isinstance(name, str) and bool(name) and isinstance(prevalence, float) and 0.0 < prevalence < 1.0
    return (name, prevalence) if good and isinstance(name, str) and isinstance(prevalence, float) else None


def manifest_entry(networks: Networks, found: NetworkAnswers, options: NetworkOptions) -> dict[str, Any]:
    """Say for the manifest which networks were used, with their cards."""
    if networks.scorer is None:
        return {"used": False, "why": networks.note}
    settings = networks.scorer.settings
    return {
        "used": True,
        "cards": [card.as_manifest() for card in networks.cards.values()],
        "device": networks.device,
        "cut_offs": {
            name: {"value": cut.value, "rule": str(cut.rule), "source": cut.source}
            for name, cut in (
                ("malignant", settings.cut_offs.malignant),
                ("invasive", settings.cut_offs.invasive),
            )
        },
        "cube": {
            "slice_order": str(settings.cube.slice_order),
            "center": str(settings.cube.center),
            "border": str(settings.cube.border),
        },
        "seconds": round(found.seconds, 3),
        "options": options.as_dict(),
    }

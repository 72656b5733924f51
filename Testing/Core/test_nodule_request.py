"""One schema for requests and answers about nodules: from the command, from the worker, and by its words."""

from __future__ import annotations

import copy
import json
import random
from contextlib import suppress
from dataclasses import fields

import numpy as np
import pytest

from ctinsight.cli import nodule_options, run_command_line
from ctinsight.errors import CTInsightError, InputRefusedError, WeightsMissingError, WrongUseError
from ctinsight.files import read_scan, write_volume
from ctinsight.phantoms.chest import ChestSpec, chest_grid, chest_phantom
from ctinsight.phantoms.nodules import NoduleKind, nodule_of
from ctinsight.tasks.nodule.emv_options import NetworkOptions
from ctinsight.tasks.nodule.inputs import NODULE_QUESTIONS, PATIENT_QUESTIONS, NoduleInputs, PatientInputs
from ctinsight.tasks.nodule.parameters import Parameters
from ctinsight.tasks.nodule.request import error_document, load_request, read_request
from ctinsight.volume import Acquisition, Scan, Volume
from ctinsight.worker import MARKER_FILE, Worker, events_file

CENTRE = (90.0, 5.0, 22.0)
BARE = {"schema": "ctinsight.nodule-request", "version": 1, "ct": {"path": "ct.nii.gz"}}
PATIENT = {"age_years": 64, "sex": "female", "family_history": False, "emphysema": True, "nodule_count": 1}


@pytest.fixture(scope="module")
def schema(project):
    """Return the schema as it is published."""
    return json.loads((project / "docs" / "nodule-request.schema.json").read_text(encoding="utf-8"))["$defs"]


@pytest.fixture(scope="module")
def a_ct(tmp_path_factory):
    """Return a file with a part of a lung and one nodule of 9 mm."""
    grid = chest_grid((0.8, 0.8, 1.25), size_mm=(72, 72, 72), centre_ras=CENTRE)
    nodule = nodule_of(NoduleKind.SOLID, CENTRE, 9.0, seed=2)
    path = tmp_path_factory.mktemp("ct") / "ct.nii.gz"
    write_volume(chest_phantom(ChestSpec(grid=grid, nodules=(nodule,))).volume, path)
    return path


def request_with(**more):
    """Return a request for one nodule."""
    return {**BARE, "nodules": [{"ras_mm": list(CENTRE)}], **more}


def test_the_schema_names_what_is_read(schema):
    """Every name of patient, nodule, networks and request is in the schema, and no other."""
    patient = schema["request"]["properties"]["patient"]["properties"]
    assert set(patient) == {f.name for f in fields(PatientInputs)} == set(PATIENT_QUESTIONS)
    places = {"ras_mm", "ijk", "prior_ras_mm", "prior_ijk"}
    assert set(schema["nodule"]["properties"]) - places == {f.name for f in fields(NoduleInputs)}
    assert set(schema["networks"]["properties"]) == {f.name for f in fields(NetworkOptions)}
    simple = {f.name for f in fields(Parameters)} - {"points_ras", "points_ijk"}
    assert set(schema["request"]["properties"]) == simple | {"schema", "version", "ct"}


def test_the_schema_holds_the_words_that_are_read(schema):
    """Each word of an enumeration in the schema is accepted, and stands for its item's option."""
    for items, questions, kind in (
        (schema["request"]["properties"]["patient"]["properties"], PATIENT_QUESTIONS, PatientInputs),
        (schema["nodule"]["properties"], NODULE_QUESTIONS, NoduleInputs),
    ):
        for name, question in questions.items():
            assert question.flag in items[name]["description"]
            for word in items[name].get("enum", ()):
                kind(**{name: word})


def test_every_option_of_the_command_is_a_question():
    """The command's options and the questions of the scores are the same, by flag."""
    flags = {nodule_options._flag(name): item for name, item in nodule_options.PATIENT.items()}
    assert {PATIENT_QUESTIONS[item].flag: item for item in PATIENT_QUESTIONS} == flags
    flags = {nodule_options._flag(name): item for name, item in nodule_options.NODULE.items()}
    assert {NODULE_QUESTIONS[item].flag: item for item in NODULE_QUESTIONS} == flags


def test_a_request_survives_the_manifest():
    """What a manifest holds of a request makes the same parameters again."""
    document = request_with(patient=PATIENT, networks={"use": "off"}, prior={"interval_days": 90})
    document["nodules"][0] |= {"upper_lobe": True, "prior_ras_mm": [1, 2, 3], "suspicious_features": ["node"]}
    parameters = read_request(document).parameters
    assert Parameters.from_dict(json.loads(json.dumps(parameters.as_dict()))) == parameters


WRONG = {
    "another schema": {"schema": "x"},
    "another version": {"version": 2},
    "true is no version": {"version": True},
    "no image": {"ct": None},
    "an image with more": {"ct": {"path": "x", "password": "y"}},
    "an empty path": {"ct": {"path": " "}},
    "a path with a zero": {"ct": {"path": "a\0b"}},
    "no nodules": {"nodules": []},
    "nodules as text": {"nodules": "82,10,40"},
    "a nodule without a place": {"nodules": [{}]},
    "two kinds of place": {"nodules": [{"ras_mm": [1, 2, 3]}, {"ijk": [1, 2, 3]}]},
    "both places": {"nodules": [{"ras_mm": [1, 2, 3], "ijk": [1, 2, 3]}, {"ras_mm": [1, 2, 3]}]},
    "two numbers": {"nodules": [{"ras_mm": [1, 2]}]},
    "a place far away": {"nodules": [{"ras_mm": [1, 2, 1e9]}]},
    "true is no number": {"nodules": [{"ras_mm": [True, 2, 3]}]},
    "words are no number": {"nodules": [{"ras_mm": ["1", "2", "3"]}]},
    "a misspelt item": {"nodules": [{"ras_mm": [1, 2, 3], "spiculated": True}]},
    "a misspelt patient": {"patient": {"Age": 64}},
    "patient as list": {"patient": [64]},
    "an age of 400 digits": {"patient": {"age_years": 10**400}},
    "a count of 400 digits": {"patient": {"nodule_count": 10**400}},
    "days of 400 digits": {"prior": {"interval_days": 10**400}},
    "a place of 400 digits": {"nodules": [{"ras_mm": [10**400, 2, 3]}]},
    "a threshold of 400 digits": {"solid_threshold_hu": 10**400},
    "an unknown name": {"nodule": []},
    "days of the wrong kind": {"prior": {"interval_days": "90"}},
    "negative days": {"prior": {"interval_days": -90}},
    "a certain prevalence": {"networks": {"malignant_prevalence": 1}},
    "unknown cut-offs": {"networks": {"cut_offs": "best"}},
    "a threshold of nothing": {"solid_threshold_hu": "low"},
    "121 nodules": {"nodules": [{"ras_mm": [1, 2, 3]}] * 121},
}


@pytest.mark.parametrize("more", WRONG.values(), ids=WRONG)
def test_a_misfit_is_refused_in_three_sentences(more):
    """Nothing is guessed and nothing passed over."""
    with pytest.raises(WrongUseError) as caught:
        read_request(request_with(**more))
    entry = error_document(caught.value)["error"]
    assert all(entry[key] for key in ("kind", "found", "expected", "remedy"))
    assert len(entry["found"]) < 300


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, "\xff\xfe"]
)
def test_a_file_that_is_no_request(tmp_path, text):
    """Broken JSON, a list, NaN, a name twice, depth without end, another encoding, and no file at all."""
    path = tmp_path / "request.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(WrongUseError):
        load_request(path)
    with pytest.raises(WrongUseError):
        load_request(tmp_path / "none.json")


def test_paths_are_relative_to_the_request(tmp_path):
    """A request that lies beside its images can be moved with them."""
    path = tmp_path / "request.json"
    path.write_text(json.dumps(request_with()), encoding="utf-8")
    assert load_request(path).ct.path == tmp_path / "ct.nii.gz"


def test_voxels_are_those_of_the_image():
    """Voxel (2, 3, 4) of 0.5 x 0.5 x 2 mm is R, A, S = 1, 1.5, 8; of a resampled image it is refused."""
    volume = Volume(np.zeros((9, 9, 9), np.int16), np.diag([0.5, 0.5, 2.0, 1.0]))
    parameters = Parameters.from_dict({"nodules": [{"ijk": [2, 3, 4]}]})
    assert parameters.on(Scan(volume, Acquisition("phantom"))).points_ras == ((1.0, 1.5, 8.0),)
    with pytest.raises(InputRefusedError, match="resampled"):
        parameters.on(Scan(volume, Acquisition("DICOM", resampled=True)))


def by_worker(a_ct, tmp_path, parameters):
    """Ask the worker in this process, and return its last event."""
    folder = tmp_path / "private"
    folder.mkdir()
    (folder / MARKER_FILE).touch()
    scan = read_scan(a_ct)
    np.save(folder / "in.npy", scan.volume.array_kji)
    volume = {"array": "in.npy", "ijk_to_ras": scan.volume.ijk_to_ras.tolist()}
    line = {"protocol": 1, "id": "a", "command": "run", "task": "nodule", "volume": volume}
    acquisition = {"file_format": scan.acquisition.file_format}
    Worker(folder)._answer(json.dumps({**line, "acquisition": acquisition, "parameters": parameters}))
    events = (folder / events_file("a")).read_text(encoding="utf-8").splitlines()
    return json.loads(events[-1])


def test_command_and_worker_answer_the_same(a_ct, tmp_path, capsys):
    """The same request, voxels by file and by array: the same findings, tables and statements."""
    body = {"nodules": [{"ras_mm": list(CENTRE), "upper_lobe": True, "spiculation": False}]}
    body |= {"patient": PATIENT, "networks": {"use": "off"}}
    path = a_ct.parent / "request.json"
    path.write_text(json.dumps({**BARE, **body}), encoding="utf-8")
    assert run_command_line(["nodule", "--request", str(path), "-o", str(tmp_path / "out")]) == 0
    answer = json.loads((tmp_path / "out" / "answer.json").read_text(encoding="utf-8"))
    event = by_worker(a_ct, tmp_path, body)
    assert (answer["status"], event["event"]) == ("done", "result")
    for part in ("findings", "tables", "statements", "lines", "checks"):
        assert answer["result"][part] == event["document"][part]
    printed = capsys.readouterr().out
    assert "Brock 2b" in printed
    assert "(R grows to the patient's right)" in printed
    with pytest.raises(WrongUseError, match="already holds"):
        run_command_line(["nodule", "--request", str(path), "-o", str(tmp_path / "out")])


def test_command_and_worker_refuse_the_same(a_ct, tmp_path):
    """A click on the chest wall: the same error from both ends; a later success replaces it."""
    body = {"nodules": [{"ras_mm": [140.0, 5.0, 22.0]}]}
    path = a_ct.parent / "wrong.json"
    path.write_text(json.dumps({**BARE, **body}), encoding="utf-8")
    for _ in range(2):  # the answer of a request that failed may be replaced
        with pytest.raises(CTInsightError):
            run_command_line(["nodule", "--request", str(path), "-o", str(tmp_path / "out")])
    answer = json.loads((tmp_path / "out" / "answer.json").read_text(encoding="utf-8"))
    event = by_worker(a_ct, tmp_path, body)
    assert {key: event[key] for key in answer["error"]} == answer["error"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["answer.json"]


HOSTILE = {
    "no point": (),
    "half a point": ("--point=1,2",),
    "a point of nothing": ("--point=nan,0,0",),
    "two kinds of point": ("--point=1,2,3", "--voxel=1,2,3"),
    "an answer too few": ("--point=1,2,3", "--point=4,5,6", "--upper-lobe=yes"),
    "an answer too many": ("--point=1,2,3", "--upper-lobe=yes", "--upper-lobe=no"),
    "a nodule that is not there": ("--point=1,2,3", "--upper-lobe=2=yes"),
    "an answer twice": ("--point=1,2,3", "--upper-lobe=1=yes", "--upper-lobe=1=no"),
    "maybe": ("--point=1,2,3", "--family-history=maybe"),
    "a third sex": ("--point=1,2,3", "--sex=x"),
    "half a nodule": ("--point=1,2,3", "--nodule-count=1.5"),
    "an age without end": ("--point=1,2,3", "--age=inf"),
    "points in no earlier CT": ("--point=1,2,3", "--prior-days=90"),
    "weights switched off": ("--point=1,2,3", "--weights=w", "--no-networks"),
    "a click moved for no network": ("--point=1,2,3", "--click-sensitivity", "--no-networks"),
    "a certain cut-off": ("--point=1,2,3", "--malignant-cut-off=1"),
    "everything and a request": ("--request=r.json", "--point=1,2,3"),
}


@pytest.mark.parametrize("options", HOSTILE.values(), ids=HOSTILE)
def test_options_that_make_no_sense_end_before_anything_is_read(tmp_path, options):
    """Exit code 2 with three sentences; the image is not even looked for, and nothing is written."""
    with pytest.raises(WrongUseError) as caught:
        run_command_line(["nodule", str(tmp_path / "none.nii"), "-o", str(tmp_path / "out"), *options])
    assert caught.value.remedy
    assert not (tmp_path / "out").exists()


def test_options_of_networks_ask_for_networks(tmp_path, monkeypatch, a_ct):
    """Where none are installed, moved clicks are no silent nothing: weights are missing, exit code 4."""
    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path / "models"))
    arguments = ["nodule", str(a_ct), "--point=90,5,22", "-o", str(tmp_path / "out"), "--click-sensitivity"]
    with pytest.raises(WeightsMissingError) as caught:
        run_command_line(arguments)
    assert caught.value.exit_code == 4


def test_answers_belong_to_their_nodules():
    """Plain answers go by the order of the points, numbered ones by their number; unknown is not stated."""
    spread = nodule_options._spread
    assert spread("--upper-lobe", ["yes", "unknown"], 2) == {0: "yes", 1: "unknown"}
    assert spread("--upper-lobe", ["2=no"], 3) == {1: "no"}
    found = {}
    nodule_options._put(found, "upper_lobe", "unknown", "--upper-lobe")
    nodule_options._put(found, "spiculation", "Yes", "--spiculation")
    assert found == {"spiculation": True}


JUNK = (
    None,
    True,
    0,
    -1,
    1e308,
    10**400,
    "",
    "x",
    "\0",
    [],
    {},
    [[]],
    {"a": 1},
    [1, 2, 3],
    "yes",
    0.5,
    "female",
)


def test_no_request_whatever_ends_otherwise_than_in_three_sentences():
    """2000 requests with up to three values of junk: parameters that go back to JSON, or an error of ours."""
    rng = random.Random(7)  # noqa: S311 - no secret
    full = request_with(
        patient={**PATIENT, "cancer": "none"}, networks={"cut_offs": "web"}, solid_band_hu=[1, 2]
    )
    full["nodules"][0] |= {"prior_ras_mm": [1, 2, 3], "change": "stable", "suspicious_features": ["a"]}
    good = 0
    for _ in range(2000):
        document = copy.deepcopy(full)
        for _ in range(rng.randint(1, 3)):
            place = rng.choice([document, document["nodules"][0], document["patient"], document["networks"]])
            if isinstance(place, dict) and place:
                place[rng.choice(list(place))] = rng.choice(JUNK)
            if not (isinstance(document["nodules"], list) and document["nodules"]):
                break
        with suppress(CTInsightError):
            assert json.dumps(read_request(document).parameters.as_dict(), allow_nan=False)
            good += 1
    assert good > 20

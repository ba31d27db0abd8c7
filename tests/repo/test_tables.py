"""Tables and figures of the pages, from small files; and that the pages are those of the recorded results."""

import json
import re
from pathlib import Path

import pytest

from aae_jax.errors import InputError
from reproduce.models import MODELS
from reproduce.pages import __main__ as pages
from reproduce.pages import answers as answers_pages
from reproduce.pages import default_preset, diagrams, earlier, few_labels, figures
from reproduce.pages import models as model_pages
from reproduce.pages.markdown import ROOT, spread
from reproduce.recorded_runs import write_rows


def write_row(folder: Path, name: str, **changed: object) -> None:
    row = {
        "row": name,
        "data": {"name": "mnist"},
        "tested": True,
        "precision": "bfloat16",
        "recipe": "best",
        "shifts": False,
        "labels": 100,
        "splits": {"labelled": 100},
        "seeds": [0, 1],
        "updates": 25_000,
        "device": "cpu (cpu)",
        "baseline": {"test_error": {"per_seed": [0.2, 0.22]}},
        "validation_error": {"per_seed": [0.03, 0.03]},
        "test_error": {"per_seed": [0.02, 0.03]},
        **changed,
    }
    (folder / f"{name}.json").write_text(json.dumps(row), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the table of few labels; those of other tables are next to it."""
    monkeypatch.setattr(few_labels, "RESULTS", tmp_path)
    (tmp_path / "few_labels").mkdir()
    return tmp_path / "few_labels"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_errors_of_its_seeds_beside_the_papers_and_its_goal(folder: Path) -> None:
    write_row(folder, "best-100")
    titles, _, line = few_labels.few_labels_table().splitlines()
    row = dict(zip(cells(titles), cells(line), strict=True))
    assert row["**test, %**"] == "**2.50 ± 0.71**"
    assert row["validation, %"] == "3.00 ± 0.00"
    assert row["supervised, %"] == "21.00 ± 1.41"
    assert row["where, precision, updates"] == "CPU, bfloat16, 25,000"
    assert (row["labels"], row["settings"], row["subsets"]) == ("100", "ours", "2")
    assert (row["paper†, %"], row["goal, %"]) == ("1.90 ± 0.10", "≤ 1.5")


def test_rows_stand_by_shifts_then_labels_then_recipe(folder: Path) -> None:
    write_row(folder, "a", shifts=True)
    write_row(folder, "b", labels="all", splits={"labelled": 50_000})
    write_row(folder, "c", recipe="faithful")
    write_row(folder, "d", device="NVIDIA H200 (gpu)")
    rows = [cells(line) for line in few_labels.few_labels_table().splitlines()[2:]]
    assert [(row[0], row[1]) for row in rows] == [
        ("100", "the paper's"),
        ("100", "ours"),
        ("all", "ours"),
        ("100", "ours, shifts"),
    ]
    assert rows[1][2] == "NVIDIA H200, bfloat16, 25,000"
    assert rows[0][-1] == ""
    assert rows[3][-1] == "≤ 1.2"


def test_a_failed_seed_is_left_out_and_no_row_is_no_error(folder: Path) -> None:
    assert len(few_labels.few_labels_table().splitlines()) == 2
    write_row(folder, "a", test_error={"per_seed": [0.02, None]})
    assert "| 1 of 2 |" in few_labels.few_labels_table()
    assert "**2.00**" in few_labels.few_labels_table()


@pytest.mark.parametrize("changed", [{"data": {"name": "digits"}}, {"tested": False}])
def test_rows_of_other_images_are_refused(folder: Path, changed: dict[str, object]) -> None:
    write_row(folder, "best-100", **changed)
    with pytest.raises(InputError, match=r"The row best-100 .* is not of MNIST's test images"):
        few_labels.few_labels_table()


def write_table(folder: Path, *names: str, **changed: object) -> None:
    folder.mkdir()
    for name in names:
        write_row(folder, name, preset="few_labels", **changed)


def test_the_ablation_is_in_the_order_of_its_definition_with_each_rows_own_flags(folder: Path) -> None:
    write_table(folder.parent / "ablation", "plain", "as-it-is", "no-batch-norm", tested=False)
    lines = [cells(line) for line in few_labels.ablation_table().splitlines()[2:]]
    assert [line[0] for line in lines] == ["as it is", "no batch norm", "plain"]
    assert lines[1][1:] == [
        "`--preset few_labels --labels 100 --network.no-batch-norm`",
        "25,000",
        "2",
        "3.00 ± 0.00",
    ]
    figure = figures.draw_ablation()
    assert figure is not None
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["as it is", "no batch norm", "plain"]


def test_what_was_tried_of_the_papers_settings_is_a_table_of_its_own(folder: Path) -> None:
    write_table(folder.parent / "paper_settings", "linear-output", "as-the-preset", tested=False)
    lines = [cells(line) for line in few_labels.ablation_table("paper-settings").splitlines()[2:]]
    assert [line[0] for line in lines] == ["as the preset", "linear output"]
    assert lines[1][1].endswith("--network.output linear`")
    assert len(few_labels.ablation_table().splitlines()) == 2


def test_errors_by_number_of_labels_stand_side_by_side(folder: Path) -> None:
    write_table(folder.parent / "label_counts", "100", "1000", "100-shifts")
    for name, labelled, shifts in (("100", 100, False), ("1000", 1000, False), ("100-shifts", 100, True)):
        error = {"per_seed": [0.01, 0.03]} if shifts else {"per_seed": [0.02, 0.03]}
        write_row(
            folder.parent / "label_counts", name, splits={"labelled": labelled}, shifts=shifts, test_error=error
        )
    lines = [cells(line) for line in few_labels.label_counts_table().splitlines()[2:]]
    assert [line[0] for line in lines] == ["100", "1,000"]
    assert lines[0][3:] == ["21.00 ± 1.41", "**2.50 ± 0.71**", "**2.00 ± 1.41**"]
    assert lines[1][4:] == ["**2.50 ± 0.71**", "–"]
    figure = figures.draw_label_counts()
    assert figure is not None
    names = {str(line.get_label()) for line in figure.axes[0].get_lines()}
    assert {"without shifts", "with shifts", "labelled images alone"} <= names


def test_each_subset_has_a_line(folder: Path) -> None:
    calibration = {
        "temperature": [1.5, None],
        "expected_error": {"per_seed": [0.02, None]},
        "calibrated_error": {"per_seed": [0.01, None]},
    }
    write_table(folder.parent / "subsets", "100", calibration=calibration, test_error={"per_seed": [0.02, None]})
    lines = [cells(line) for line in few_labels.subset_table().splitlines()[2:]]
    assert lines == [
        ["100", "0", "20.00", "3.00", "2.00", "1.50", "2.00 → 1.00"],
        ["100", "1", "22.00", "3.00", "failed", "–", "– → –"],
    ]


def test_other_data_stand_by_their_names(folder: Path) -> None:
    write_table(folder.parent / "other_data", "digits-few-labels", data={"name": "digits"}, width=[1000, 500])
    (line,) = few_labels.other_data_table().splitlines()[2:]
    assert cells(line)[:6] == ["digits", "`few_labels`", "100", "25,000", "1000-500", "2"]
    assert cells(line)[-1] == "**2.50 ± 0.71**"


@pytest.mark.parametrize("table", ["ablation", "label_counts", "subsets", "other_data"])
def test_tables_without_rows_are_empty(folder: Path, table: str) -> None:
    build = {
        "ablation": few_labels.ablation_table,
        "label_counts": few_labels.label_counts_table,
        "subsets": few_labels.subset_table,
        "other_data": few_labels.other_data_table,
    }[table]
    assert len(build().splitlines()) == 2
    assert {draw() for draw in figures.FIGURES.values()} == {None}


def test_curves_with_a_hundred_labels_stand_beside_the_papers_milestones(folder: Path) -> None:
    curve = {"update": [500, 1000], "validation_error": [[0.1, 0.2], [0.05, None]]}
    write_row(folder, "best-100", curve=curve)
    write_row(folder, "best-1000", labels=1000, curve=curve)
    figure = figures.draw_curves()
    assert figure is not None
    lines = {str(line.get_label()): line for line in figure.axes[0].get_lines()}
    assert set(lines) == {"ours (validation)", "the paper's milestones† (test)"}
    assert lines["the paper's milestones† (test)"].get_xydata()[0].tolist() == [500, 16.5]


def answers(*seeds: list[list[int]] | None) -> dict[str, object]:
    """Return what a record says of answers in two classes, of which half as many are sure as are right."""
    alive = [counts is not None for counts in seeds]
    as_trained = [[{"images": 20, "confidence": 0.99, "accuracy": 0.9}] if one else None for one in alive]
    half = {"images": 10, "confidence": 0.6, "accuracy": 0.5}
    calibrated = [[half, {"images": 10, "confidence": 0.95, "accuracy": 1.0}] if one else None for one in alive]
    return {"measured_on": "test", "confusion": list(seeds), "as_trained": as_trained, "calibrated": calibrated}


def test_confusions_are_those_of_all_seeds(folder: Path) -> None:
    found = answers([[8, 2], [1, 9]], None, [[6, 4], [0, 10]])
    write_row(folder, "best-100", answers=found)
    write_row(folder, "best-1000", labels=1000)
    (line,) = answers_pages.confusions_table().splitlines()[2:]
    assert cells(line) == ["100 labels, ours", "7", "0 → 1: 6 (2), 1 → 0: 1 (1)", "100"]
    figure = figures.draw_confusions()
    assert figure is not None
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["1", "14", "19", "6"]


def test_bins_of_certainty_are_those_of_all_seeds(folder: Path) -> None:
    calibration = {
        "temperature": [1.5, None, 2.0],
        "expected_error": {"per_seed": [0.02, None, 0.03]},
        "calibrated_error": {"per_seed": [0.01, None, 0.01]},
    }
    write_row(folder, "best-100", answers=answers([[9, 1], [1, 9]], None, [[9, 1], [1, 9]]), calibration=calibration)
    (line,) = answers_pages.calibration_table().splitlines()[2:]
    assert cells(line) == ["100 labels, ours", "2.50 ± 0.71", "1.50 … 2.00", "1.00 ± 0.00", "50.0", "100.00"]
    (row,) = answers_pages.rows_with_answers()
    pooled = answers_pages.reliability(row, "calibrated")
    assert pooled.counts.tolist() == [0] * 8 + [20] + [0] * 5 + [20]
    assert pooled.confidence[[8, 14]] == pytest.approx([0.6, 0.95])
    assert pooled.accuracy[[8, 14]] == pytest.approx([0.5, 1.0])
    figure = figures.draw_reliability()
    assert figure is not None
    named = {str(line.get_label()).split(":")[0] for line in figure.axes[0].get_lines()}
    assert {"as trained", "calibrated"} <= named


def seeds(*values: float | None) -> dict[str, object]:
    known = [value for value in values if value is not None]
    return {"per_seed": list(values), "mean": sum(known) / len(known) if known else None, "std": None}


def write_model(folder: Path, name: str, **changed: object) -> None:
    codes = {"code_std_ratio/z1": seeds(0.9, 1.02), "code_mmd": seeds(0.001, 0.003)}
    row = {
        "data": {"name": "mnist"},
        "tested": True,
        "seeds": [0, 1],
        "failed_seeds": {},
        "updates": 5000,
        "epochs": 10,
        "train_seconds": 240,
        "cpu_cores": 1,
        "device": "cpu (cpu)",
        "precision": "bfloat16",
        "test": codes | {"discriminator_z_accuracy": seeds(0.5, 0.6)},
        **changed,
    }
    (folder / f"{name}.json").write_text(json.dumps(row), encoding="utf-8")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(model_pages, "RESULTS", tmp_path)
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def test_a_model_has_its_numbers_beside_its_goal_and_its_codes_beside_the_prior(models: Path) -> None:
    found = {
        "majority_error": seeds(0.09, 0.1),
        "most_certain_error": seeds(0.1, 0.1),
        "hungarian_error": seeds(0.6, 0.6),
        "normalised_mutual_information": seeds(0.7, 0.72),
    }
    write_model(models, "clustering-30", clusters=found)
    titles, _, line = model_pages.models_table().splitlines()
    row = dict(zip(cells(titles), cells(line), strict=True))
    assert row["row"] == "[clustering-30](#clustering-30)"
    assert row["seeds, updates, minutes × cores a seed"] == "2, 5,000, 2"
    assert row["where, precision"] == "CPU, bfloat16"
    assert row["on the test images"].startswith("error **9.50 ± 0.71 %** by majority, 10.00 ± 0.00 %")
    assert row["on the test images"].endswith("NMI 0.710")
    assert (row["goal"], row["paper†"]) == ("≤ 10 %", "4.10 ± 1.13 %")
    assert (row["std of codes / prior"], row["MMD²"], row["discriminator accuracy"]) == (
        "0.90 to 1.02",
        "0.0020",
        "55.0%",
    )


def test_each_model_says_what_it_is_measured_by(models: Path) -> None:
    codes = {"component_error": seeds(0.1, None)}
    write_model(models, "label-regularized", test=codes, failed_seeds={"1": 3})
    write_model(models, "dim-reduction-100", test={"error": seeds(0.05, 0.06)})
    nats = {"log_likelihood": seeds(320.4, 322.4), "standard_error": seeds(None, None)}
    write_model(models, "likelihood", likelihood={"samples": {"10000": nats}})
    write_model(
        models,
        "supervised-10",
        label_leakage={"logistic_regression": seeds(0.4, 0.5), "perceptron": seeds(0.7, 0.8), "chance": seeds(0.1)},
    )
    said = {cells(line)[0].split("]")[0][1:]: cells(line) for line in model_pages.models_table().splitlines()[2:]}
    assert list(said) == ["label-regularized", "supervised-10", "dim-reduction-100", "likelihood"]
    assert said["label-regularized"][2:4] == ["2 (1 failed), 5,000, 2", "**90.00 %** of codes in their class's part"]
    assert said["dim-reduction-100"][3] == "error **5.50 ± 0.71 %**"
    assert said["likelihood"][3] == "**321 ± –** nats by 10,000 samples (seeds 320 to 322)"
    assert "**45.00 ± 7.07 %** by logistic regression" in said["supervised-10"][3]


def test_every_figure_of_the_gallery_has_a_caption_and_its_command(models: Path) -> None:
    assert {name for row in MODELS for name in (*row.figures, *row.visualized)} == set(model_pages.CAPTIONS)
    write_model(models, "vae")
    text = model_pages.gallery()
    assert "python experiments/autoencoder.py --preset vae --epochs 10 --num-seeds 2 --dataset mnist" in text
    assert "](../results/models/vae/code_scatter.png)" in text
    assert not model_pages.figure_two()
    for name in model_pages.FIGURE_TWO:
        write_model(models, name)
    lines = [cells(line) for line in model_pages.figure_two().splitlines()]
    for line, kind in zip(lines[2:], ("", "-mixture"), strict=True):
        assert [cell.split("/")[-2] for cell in line[1:]] == [f"unsupervised{kind}", f"vae{kind}"]
    write_model(models, "vae", tested=False)
    with pytest.raises(InputError, match="is not of MNIST's test images"):
        model_pages.gallery()


def test_a_model_with_few_labels_has_its_health_and_one_with_clusters_their_error(models: Path) -> None:
    health = {"code_mmd": seeds(None, None), "discriminator_z_accuracy": seeds(0.5, 0.6)}
    write_model(models, "semi-supervised", test=None, test_error=seeds(0.02, 0.03), health=health)
    errors = dict.fromkeys(("majority_error", "most_certain_error", "hungarian_error"), seeds(0.1, 0.1))
    found = {**errors, "normalised_mutual_information": seeds(None, None)}
    write_model(models, "dim-reduction-clusters", clusters=found)
    labels, clusters = (cells(line) for line in model_pages.models_table().splitlines()[2:])
    assert labels[3:] == ["error **2.50 ± 0.71 %**", "–", "1.90 ± 0.10 %", "–", "–", "–", "55.0%"]
    assert clusters[3].endswith("10.00 ± 0.00 % one to one; NMI –")


def test_earlier_implementations_have_their_claims_and_accuracies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier, "RESULTS", tmp_path)
    (tmp_path / "earlier").mkdir()
    found = {"error": seeds(0.05, 0.07)}
    write_row(tmp_path / "earlier", "conan7882", full_updates=100_000, validation=found, test={"error": seeds(0.04)})
    clusters = {"majority_error": seeds(0.2)}
    write_row(tmp_path / "earlier", "shaharazulay-clusters", full_updates=25_000, clusters=clusters)
    labels, grouped = (cells(line) for line in earlier.earlier_table().splitlines()[2:])
    assert labels[1] == "`semi_supervised.py --preset conan7882`"
    assert labels[2:] == ["25,000 (100,000)", "2", "97.10 % (README, test images)", "94.00 ± 1.41", "**96.00**"]
    assert grouped[2] == "25,000"
    assert grouped[-2:] == ["–", "**80.00**"]


def test_pages_are_those_of_the_recorded_results(capsys: pytest.CaptureFixture[str]) -> None:
    assert pages.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_a_page_that_differs_is_named_and_then_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table: precision -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")
    monkeypatch.setattr(pages, "PAGES", (page,))
    monkeypatch.setattr(figures, "FIGURES", {"none": lambda: None})
    monkeypatch.setattr(diagrams, "DIAGRAMS", {})
    assert pages.main(["--check"]) == 2
    assert "error: page.md differs from results/; run: uv run python -m reproduce.pages" in capsys.readouterr().err
    assert pages.main([]) == 0
    assert page.read_text(encoding="utf-8") == filled_with(default_preset.comparison("precision"))
    assert pages.main(["--check"]) == 0


def filled_with(table: str) -> str:
    return f"before\n<!-- table: precision -->\n{table}\n<!-- end -->\nafter\n"


def test_every_table_stands_in_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in pages.PAGES)
    marked = re.findall(r"<!-- table: (.*?) -->", text)
    assert set(marked) == set(pages.TABLES)


def test_relative_links_of_the_pages_lead_to_files() -> None:
    for page in (*pages.PAGES, *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"):
        links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == [], page.name


def test_every_recorded_figure_is_shown_once() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in (*pages.PAGES, *(ROOT / "docs").glob("*.md")))
    pictures = [*(ROOT / "results").rglob("*.png"), *(ROOT / "docs" / "images").glob("*.png")]
    assert [path.name for path in pictures if str(path.relative_to(ROOT)).split("/", 1)[1] not in text] == []
    assert len({path.read_bytes() for path in pictures}) == len(pictures)


@pytest.mark.parametrize(
    ("fractions", "expected"), [([0.02, 0.03], "2.50 ± 0.71"), ([0.02, None], "2.00"), ([None], "–"), ([], "–")]
)
def test_spread_is_a_mean_and_a_sample_deviation_in_percent(fractions: list[float | None], expected: str) -> None:
    assert spread(fractions) == expected


def run_of(seed: int, error: float, **changed: object) -> dict[str, object]:
    measured = {"per_seed": [error]}
    summary = {
        "data": {"name": "digits"},
        "splits": {"labelled": 100},
        "updates": 720,
        "labels": 100,
        "seeds": [seed],
    }
    return {
        **summary,
        "git_commit": "abc",
        "train_seconds": 60.0,
        "test_error": measured,
        "validation_error": measured,
        "baseline": {"test_error": measured},
        **changed,
    }


@pytest.fixture
def errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(default_preset, "RESULTS", tmp_path)
    return tmp_path / "default_errors.json"


def test_runs_of_one_row_are_one_line(errors: Path) -> None:
    runs = [run_of(0, 0.02), run_of(1, 0.03, cpu_cores=4)]
    write_rows(errors, "errors", [{"row": "digits 100", "flags": "", "runs": runs}])
    (line,) = default_preset.errors_table().splitlines()[2:]
    errors_over_seeds = "2.50 ± 0.71"
    assert cells(line) == [
        *("marginal", "digits", "100", "720", "3.0", "2"),
        *(errors_over_seeds, errors_over_seeds, f"**{errors_over_seeds}**"),
        *("–", "–"),
    ]


def test_a_row_says_what_its_judge_and_its_styles_say(errors: Path) -> None:
    leakage = {"logistic_regression": {"per_seed": [0.15]}, "perceptron": {"per_seed": [0.3]}}
    generation = {
        "judge": {"accuracy": 0.988},
        "conditional_accuracy": {"per_seed": [0.99]},
        "label_leakage": leakage,
    }
    run = run_of(0, 0.02, generation=generation, config={"conditional": True})
    write_rows(errors, "errors", [{"row": "digits 100", "flags": "", "runs": [run]}])
    (line,) = default_preset.errors_table().splitlines()[2:]
    assert cells(line)[0] == "default"
    assert cells(line)[-2:] == ["99.00 (real 98.8)", "15.00 / 30.00"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (run_of(1, 0.03, git_commit="def"), "mixes updates, labels or commits"),
        (run_of(0, 0.03), "has a seed twice"),
        (run_of(1, 0.03, updates=10), "mixes updates"),
    ],
)
def test_a_row_of_unlike_runs_is_refused(errors: Path, other: dict[str, object], message: str) -> None:
    write_rows(errors, "errors", [{"row": "digits 100", "flags": "", "runs": [run_of(0, 0.02), other]}])
    with pytest.raises(InputError, match=message):
        default_preset.errors_table()


def test_a_row_without_test_errors_is_refused(errors: Path) -> None:
    untested = run_of(0, 0.02, test_error={"per_seed": [None]})
    write_rows(errors, "errors", [{"row": "digits 100", "flags": "", "runs": [untested]}])
    with pytest.raises(InputError, match="The row digits 100 has no test error"):
        default_preset.errors_table()

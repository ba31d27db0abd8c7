"""`aae_jax.train`: the runs of the commands from Python, on data of many kinds, with callbacks."""

import dataclasses
import json
import signal

import numpy as np
import pytest

import aae_jax
from aae_jax.api import configured
from aae_jax.config.text import to_flat
from aae_jax.data import Quiet, Reporter
from aae_jax.run.run_dir import CONFIG_FILE
from tests.runs.running import EPOCHS, SMALL, rows, status

QUIET = Quiet()
TINY = {"preset": "smoke", "epochs": EPOCHS, "network": {"precision": "float32"}, "reporter": QUIET}
SAME = {**TINY, "averaging": {"decay": 0.9}}


@pytest.fixture(scope="module")
def digits():
    return aae_jax.load_dataset("digits")


@pytest.fixture(scope="module")
def trained():
    return aae_jax.train("autoencoder", "digits", **SAME)


def weights(model):
    return {str(path): np.asarray(leaf) for path, leaf in _leaves((dict(model.params), dict(model.stats)))}


def _leaves(tree):
    import jax

    return jax.tree_util.tree_leaves_with_path(tree)


def assert_same_weights(ours, theirs):
    ours, theirs = weights(ours), weights(theirs)
    assert ours.keys() == theirs.keys()
    for name, leaf in ours.items():
        np.testing.assert_array_equal(leaf, theirs[name], err_msg=name)


def test_a_run_from_python_is_that_of_the_command(trained, plain):
    assert_same_weights(trained.model, aae_jax.load(plain))
    written = json.loads((plain / "summary.json").read_text())
    for name in ("test", "validation", "best_by_validation", "splits", "data", "updates", "seeds"):
        assert trained.summary[name] == written[name], name
    timeless = [{name: value for name, value in row.items() if name != "seconds"} for row in trained.history]
    assert timeless == [{n: v for n, v in row.items() if n != "seconds"} for row in rows(plain)]
    assert trained.folder is None


def test_a_folder_holds_what_the_command_leaves(plain, tmp_path):
    run = aae_jax.train("autoencoder", "digits", out_dir=tmp_path / "run", checkpoint_seconds=0, **SAME)
    assert run.folder == tmp_path / "run"
    assert (run.folder / CONFIG_FILE).read_bytes() == (plain / CONFIG_FILE).read_bytes()
    assert json.loads((run.folder / "summary.json").read_text()) == run.summary
    assert_same_weights(aae_jax.load(run.folder), run.model)
    with pytest.raises(aae_jax.InputError, match="is finished; load its model"):
        aae_jax.train("autoencoder", "digits", out_dir=run.folder, resume=True, **SAME)
    with pytest.raises(aae_jax.InputError, match="is not empty"):
        aae_jax.train("autoencoder", "digits", out_dir=run.folder, **SAME)


class _Interrupt:
    def after_epoch(self, epoch):
        if epoch.number == 0:
            signal.raise_signal(signal.SIGINT)


def test_an_interrupted_run_continues(trained, tmp_path, digits):
    options = {**SAME, "out_dir": tmp_path / "run", "resume": True, "checkpoint_seconds": 0}
    with pytest.raises(KeyboardInterrupt):
        aae_jax.train("autoencoder", digits, callbacks=[_Interrupt()], **options)
    with pytest.raises(aae_jax.InputError, match=r"another configuration \(seed\)"):
        aae_jax.train("autoencoder", digits, seed=1, **options)
    run = aae_jax.train("autoencoder", digits, **options)
    assert_same_weights(run.model, trained.model)
    assert len(run.history) == EPOCHS


@pytest.fixture
def usual_interrupts():
    """Let SIGINT raise KeyboardInterrupt, whatever another test has left behind."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("usual_interrupts")
def test_without_a_folder_ctrl_c_acts_at_once():
    with pytest.raises(KeyboardInterrupt):
        aae_jax.train("autoencoder", "digits", callbacks=[_Interrupt()], **TINY)


def test_arrays_are_the_data_of_a_file_with_the_same_arrays(tmp_path, digits):
    labels = digits.train_labels.copy()
    labels[200:] = -1
    names = np.asarray(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    texts = np.where(labels < 0, "", names[labels])
    np.savez(
        tmp_path / "d.npz",
        **{"x_train": digits.train_images, "y_train": texts},
        **{"x_test": digits.test_images, "y_test": names[digits.test_labels]},
    )
    objects = texts.astype(object)
    objects[200:] = None
    run = aae_jax.train(
        "semi_supervised",
        (digits.train_images.reshape(-1, 8, 8).tolist(), objects),
        baseline_share=0,
        test_data=(digits.test_images, names[digits.test_labels]),
        **SAME,
    )
    assert run.config.labels == "given"
    assert run.summary["splits"]["labelled"] == 200
    assert run.model.class_names == tuple(sorted(names))
    flags = (
        "--labels",
        "given",
        "--baseline-share",
        "0",
        "--dataset",
        f"npz:{tmp_path / 'd.npz'}",
        "--out-dir",
        tmp_path / "c",
    )
    assert status(*SMALL[:-2], *flags) == 0
    assert_same_weights(run.model, aae_jax.load(tmp_path / "c"))
    command = json.loads((tmp_path / "c" / "summary.json").read_text())
    assert command["test"] == run.summary["test"]


def test_all_arrays_are_trained_on_unless_a_test_set_is_asked_for(digits):
    images = digits.train_images[:400]
    run = aae_jax.train("autoencoder", images, **{**TINY, "batch_size": 20})
    assert run.summary["splits"] == {"labelled": 0, "pool": 360, "validation": 40, "test": 0, "unlabelled": 400}
    assert not run.summary["tested"]
    held = aae_jax.train("autoencoder", images, test=True, **{**TINY, "batch_size": 20})
    assert held.summary["splits"]["test"] == 100


def test_test_images_without_labels_are_not_trained_on(digits):
    images, labels = digits.train_images[:120], digits.train_labels[:120]
    with pytest.raises(aae_jax.InputError, match="The data have labels, but test_data have none"):
        aae_jax.train("label_regularized", (images, labels), test_data=images[:20], **TINY)
    reporter = _Lines()
    half = np.where(np.arange(60) < 30, -1, digits.test_labels[:60])
    aae_jax.train(
        "label_regularized",
        (images, labels),
        test_data=(digits.test_images[:60], half),
        **{**TINY, "epochs": 1, "reporter": reporter},
    )
    assert any("30 of the 60 test images of arrays have no label" in line for line in reporter.lines)


def test_a_configuration_is_taken_as_it_is(digits):
    config = dataclasses.replace(aae_jax.preset("smoke", "label_regularized"), labels=20, epochs=1, test=True)
    run = aae_jax.train(config, (digits.train_images[:300], digits.train_labels[:300]), reporter=QUIET)
    assert (run.config.labels, run.config.test) == (20, True)
    assert run.summary["splits"]["labelled"] == 20
    whole = aae_jax.Dataset.from_arrays(digits.train_images[:300], digits.train_labels[:300], hold_out=False)
    _, same, _ = configured("semi_supervised", whole, preset="smoke", seed=None, settings={})
    assert (same.labels, same.test) == ("all", False)


def test_a_path_may_be_text(tmp_path, digits, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    named = aae_jax.train("autoencoder", "digits", **{**TINY, "epochs": 1})
    assert named.config.dataset == "digits", "a folder of a data set's name is not read instead"
    np.savez(tmp_path / "d.npz", x=digits.train_images[:200])
    run = aae_jax.train("autoencoder", str(tmp_path / "d.npz"), **{**TINY, "epochs": 1})
    assert run.config.dataset == f"npz:{tmp_path / 'd.npz'}"


@pytest.mark.slow
def test_one_channel_and_labels_of_any_number_type(digits):
    images, labels = digits.train_images[:200, ..., None], digits.train_labels[:200] % 2
    run = aae_jax.train("semi_supervised", (images, labels.astype(float)), **{**TINY, "epochs": 1})
    error = run.model.score(images, labels.astype(float))
    assert error == run.model.score(images[..., 0], labels)
    aae_jax.Dataset.from_arrays(images, labels.astype(bool).tolist(), image_shape=(8, 8))


def test_settings_are_nested_dotted_or_whole(digits):
    options = {"epochs": 1, "preset": "smoke", "reporter": QUIET}
    run = aae_jax.train(
        "autoencoder", digits, network={"latent_dim": np.int64(3)}, **{"network.hidden": [16, 16]}, **options
    )
    assert run.config.network.latent_dim == 3
    assert run.config.network.hidden == (16, 16)
    again = aae_jax.train(run.config, digits, seed=0, reporter=QUIET)
    assert to_flat(again.config) == to_flat(run.config)
    assert_same_weights(again.model, run.model)
    whole = aae_jax.train("autoencoder", digits, **{"network": run.config.network}, **options)
    assert_same_weights(whole.model, run.model)


class _Lines(Reporter):
    def __init__(self):
        self.lines = []

    def working(self, message):
        self.lines.append(message)

    def notice(self, message):
        self.lines.append(f"! {message}")


def test_a_reporter_gets_every_line_and_nothing_is_printed(capsys, trained):
    reporter = _Lines()
    aae_jax.train("autoencoder", "digits", **{**SAME, "reporter": reporter})
    assert capsys.readouterr() == ("", "")
    said = "\n".join(reporter.lines)
    assert "device   cpu" in said
    assert "epoch 3/3" in said
    assert "folder" not in said
    aae_jax.train("autoencoder", "digits", **{**SAME, "reporter": None})
    assert "epoch 3/3" in capsys.readouterr().out


def test_early_stopping_keeps_the_best_weights(digits):
    class Worse:
        """Pretends that the first epoch was the best."""

        def after_epoch(self, epoch):
            epoch.best_epochs = (0,)
            ends.append(epoch)

    ends = []
    options = {**TINY, "epochs": 8, "reporter": (reporter := _Lines())}
    run = aae_jax.train("autoencoder", digits, callbacks=[Worse(), aae_jax.EarlyStopping(2)], **options)
    assert len(run.history) == 3
    assert (
        "! Training ends after epoch 3: the validation reconstruction error has not improved for 2 validations."
        in (reporter.lines)
    )
    assert run.summary["updates"] == run.history[-1]["update"]
    stopped = [
        aae_jax.EarlyStopping(2).after_epoch(  # every validation by a new object, as in a resumed run
            dataclasses.replace(ends[-1], number=number, evaluate_every=3, best_epochs=(2,))
        )
        for number in (2, 5, 8)
    ]
    assert [stop is not None for stop in stopped] == [False, False, True]
    full = aae_jax.train("autoencoder", digits, callbacks=[aae_jax.EarlyStopping(2)], **{**TINY, "epochs": 4})
    assert len(full.history) == 4, "the error falls in every epoch"
    assert_same_weights(full.best_model, full.model)
    with pytest.raises(aae_jax.InputError, match="patience is 0; give at least 1"):
        aae_jax.EarlyStopping(0)


class _Log:
    def __init__(self):
        self.seen, self.config = {}, None

    def settings(self, values):
        self.config = values

    def metrics(self, values, update):
        assert self.config is not None, "settings come first"
        self.seen[update] = values


def test_a_logger_gets_settings_and_metrics(digits):
    log = _Log()
    run = aae_jax.train("autoencoder", digits, callbacks=[aae_jax.LogTo(log)], **TINY)
    assert log.config == to_flat(run.config)
    assert log.config["network.latent_dim"] == 2
    assert list(log.seen) == [row["update"] for row in run.history]
    last = log.seen[run.summary["updates"]]
    assert last["validation_reconstruction_error"] == run.history[-1]["validation_reconstruction_error"][0]
    two = aae_jax.train("autoencoder", digits, callbacks=[aae_jax.LogTo(log)], **{**TINY, "num_seeds": 2})
    assert len(two.models) == len(two.best_models) == 2
    assert log.seen[two.summary["updates"]]["validation_reconstruction_error/1"] > 0


def test_a_warm_start_continues_from_the_weights(trained, digits):
    again = aae_jax.train("autoencoder", digits, warm_start=trained.model, **{**SAME, "epochs": 1})
    first = [run.history[0]["validation_reconstruction_error"][0] for run in (trained, again)]
    assert first[1] < trained.history[-1]["validation_reconstruction_error"][0] < first[0]
    with pytest.raises(aae_jax.InputError, match=r"do not fit the (en|de)coder of this configuration"):
        aae_jax.train("autoencoder", digits, warm_start=trained.model, **{**TINY, "network": {"latent_dim": 5}})


def test_a_run_describes_itself_shortly(trained):
    shown = repr(trained)
    assert len(shown) < 600
    assert "AutoencoderConfig(" in shown
    assert "updates=" in shown


def diverging(digits):
    return {"data": digits, **TINY, **{"optimizers.reconstruction.learning_rate": 1e30}}


def test_divergence_is_an_exception(digits):
    with pytest.raises(aae_jax.TrainingFailed, match="try lower learning rates"):
        aae_jax.train("autoencoder", **diverging(digits))


X = np.random.default_rng(0).uniform(size=(60, 9))
Y = np.arange(60) % 3
REFUSED = {
    "experiment": ({"experiment": "autoencodr"}, "There is no experiment 'autoencodr'"),
    "kind of experiment": ({"experiment": "autoencoder.py"}, "There is no experiment"),
    "preset": ({"preset": "smok"}, "There is no preset 'smok'"),
    "setting": ({"epoch": 3}, "There is no configuration key 'epoch'; did you mean 'epochs'"),
    "nested setting": ({"network.latent": 3}, "no configuration key 'network.latent'"),
    "type of a setting": ({"epochs": "many"}, "epochs is 'many'"),
    "value of a setting": ({"batch_size": 0}, "batch_size is 0"),
    "data set": ({"data": "digit"}, "There is no data set 'digit'"),
    "path": ({"data": __import__("pathlib").Path("data.csv")}, "give an npz or zip file, or a folder"),
    "NaN": ({"data": X * np.nan}, "hold NaN"),
    "texts": ({"data": X.astype(str)}, "have type <U32; give numbers"),
    "lengths": ({"data": (X, Y[:5])}, "give one label per image"),
    "one class": ({"data": (X, Y * 0)}, "All labels of the images are '0'"),
    "fewer rows than a batch": ({"data": X[:30]}, "batch_size is 50, but the unlabelled pool has"),
    "test data of a data set": ({"data": "digits", "test_data": (X, Y)}, "test_data are for arrays"),
    "test set": ({"data": X[:1], "test": True}, "too few images for a test set"),
    "files without a folder": ({"tensorboard": True}, "tensorboard is True, but the run has no folder"),
    "figures without a folder": ({"figures_every": 2}, "figures_every is 2, but the run has no folder"),
    "resume without a folder": ({"resume": True}, "resume is True, but out_dir is None"),
    "model to start from": ({"warm_start": "nowhere"}, "nowhere"),
    "sparse": ({"data": __import__("scipy.sparse").sparse.csr_matrix(X)}, "are a sparse array; convert it"),
    "a class as a callback": ({"callbacks": [aae_jax.EarlyStopping]}, "A callback is a class; give an object"),
    "labels of both kinds": ({"data": (X, ["a", 1] * 30)}, "hold values of type"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_gets_one_sentence(case):
    options, sentence = REFUSED[case]
    options = {"experiment": "autoencoder", "data": "digits", "preset": "smoke", "reporter": QUIET, **options}
    with pytest.raises((aae_jax.InputError, TypeError), match=sentence) as raised:
        aae_jax.train(options.pop("experiment"), options.pop("data"), **options)
    assert "\n" not in str(raised.value)


def test_a_configuration_and_a_preset_exclude_each_other(trained):
    with pytest.raises(aae_jax.InputError, match="preset is 'smoke', but a configuration was given"):
        aae_jax.train(trained.config, "digits", preset="smoke")


def test_the_command_cannot_continue_with_arrays(tmp_path, digits):
    options = {**TINY, "out_dir": tmp_path / "run", "batch_size": 20, "checkpoint_seconds": 0}
    with pytest.raises(KeyboardInterrupt):
        aae_jax.train("autoencoder", digits.train_images[:100], callbacks=[_Interrupt()], **options)
    assert status("--resume", tmp_path / "run", model="autoencoder") == 2


def test_the_package_train_is_callable_and_a_package():
    import inspect

    import aae_jax.train.phases

    assert aae_jax.train.phases.Phase is aae_jax.Phase
    assert list(inspect.signature(aae_jax.train).parameters)[:2] == ["experiment", "data"]


def test_frames_are_rows_of_numbers(digits):
    class Frame:
        """What pandas and polars have in common."""

        def __init__(self, **columns):
            self.data = columns
            self.columns = list(columns)

        def __getitem__(self, name):
            return self.data[name]

    frame = Frame(a=X[:, 0], b=np.arange(60), c=Y > 0)
    run = aae_jax.train("autoencoder", frame, **{**TINY, "batch_size": 10})
    assert run.model.image_shape == (3,)
    with pytest.raises(aae_jax.InputError, match="Column 'd' of the images has type <U1"):
        aae_jax.train("autoencoder", Frame(a=X[:, 0], d=np.asarray(["u"] * 60)), **TINY)

"""Rounded weights, model cards, and models that come with the library or from a hub."""

import base64
import dataclasses
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

import aae_jax
from aae_jax import InputError, Model
from aae_jax.saved import storage
from aae_jax.saved.card import model_card
from tests.unit.saved.test_saved_model import CODES, build, with_codes

SUMMARY = {
    "experiment": "semi_supervised",
    "command": (
        "python experiments/x.py --dataset npz:/srv/me/secret/mine.npz --data-dir /srv/me/d --out-dir '/a b'"
    ),
    "git_commit": "abc",
    "splits": {"labelled": 100, "pool": 900, "validation": 50, "test": 1234},
    "seeds": [0, 1, 2],
    "failed_seeds": {"2": 7},
    "updates": 4000,
    "tested": True,
    "versions": {"python": "3.11", "jax": "0.10.2", "aae-jax": "0.1.0"},
    "test": {
        "error": {"per_seed": [0.02, 0.03], "mean": 0.025, "std": 0.00707},
        "reconstruction_error": {"per_seed": [0.02, 0.03], "mean": 0.0253, "std": None},
        "code_mmd": {"per_seed": [0.02, 0.03], "mean": 0.77, "std": None},
    },
    "baseline": {"test_error": {"mean": 0.5, "std": None}},
    "calibration": {"expected_error": {"mean": 0.012, "std": 0.001}, "calibrated_error": {"mean": None, "std": None}},
    "generation": {
        "conditional_accuracy": {"mean": 0.99, "std": None},
        "codes_and_prior": {"two_sample_accuracy": {"mean": 0.53, "std": 0.01}},
    },
}


@pytest.mark.parametrize("name", ["plain", *CODES])
def test_rounded_weights_there_and_back(name, tmp_path):
    model = build(posterior="gaussian") if name == "plain" else with_codes(**CODES[name])
    model.save(tmp_path / "wide")
    model.save(tmp_path / "narrow", weights="float16")
    stored = load_file(tmp_path / "narrow" / "model.safetensors")
    assert {str(tensor.dtype) for key, tensor in stored.items() if key.startswith("params/")} == {"float16"}
    assert {str(tensor.dtype) for key, tensor in stored.items() if key.startswith("stats/")} <= {"float32"}
    versions = [json.loads((tmp_path / kind / "config.json").read_text()) for kind in ("wide", "narrow")]
    assert [each["format_version"] for each in versions] == [3, 7]
    assert "weights" not in versions[0]
    loaded = aae_jax.load(tmp_path / "narrow")
    assert {leaf.dtype for leaf in jax.tree.leaves(loaded.params)} == {jnp.dtype("float32")}
    rounded = jax.tree.map(lambda leaf: np.asarray(np.asarray(leaf, np.float16), np.float32), model.params)
    jax.tree.map(np.testing.assert_array_equal, loaded.params, rounded)
    jax.tree.map(np.testing.assert_array_equal, loaded.stats, model.stats)
    loaded.save(tmp_path / "again", weights="float16")
    for path in (tmp_path / "narrow").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_weights_too_large_for_float16(tmp_path):
    model = build()
    large = dataclasses.replace(model, params=jax.tree.map(lambda leaf: leaf + 7e4, model.params))
    with pytest.raises(InputError, match="too large for float16; save the model in float32"):
        large.save(tmp_path / "never", weights="float16")
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    ("written", "claimed"), [("float16", "float32"), ("float32", "float16"), ("float32", "int8")]
)
def test_a_type_of_weights_that_is_not_theirs_is_refused(written, claimed, tmp_path):
    build().save(tmp_path, weights=written)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"weights": claimed}))
    with pytest.raises(InputError):
        aae_jax.load(tmp_path)


def test_a_card_says_what_was_measured_and_no_path():
    text = model_card(dataclasses.replace(build(), seed=1, experiment="semi_supervised", temperature=1.5), SUMMARY)
    for words in (
        "library_name: aae_jax",
        "# Semi-supervised: made up",
        "command: `python experiments/x.py --dataset npz:mine.npz`",
        "SHA-256 `0`",
        "4,000 updates, seed 1",
        "100 labelled, 900 pool",
        "On 1,234 test images, mean ± standard deviation over 2 seeds:",
        "| error | 2.50 ± 0.71 % |",
        "| reconstruction error | 0.0253 |",
        "| test error of the supervised baseline | 50.00 % |",
        "| calibration error | 1.20 ± 0.10 % |",
        "commit abc",
        "| 99.00 % |",
        "53.00 ± 1.00 %",
        "probabilities are calibrated",
    ):
        assert words in text, words
    for words in ("srv", "secret", "a b", "code mmd", "None", "nan"):
        assert words not in text, words


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("npz:/srv/me/secret/d.npz", "npz:d.npz"),
        (r"npz:C:\Users\Me Too\secret\d.npz", "npz:d.npz"),
        ("folder:~/secret/faces", "folder:faces"),
        ("<b>`a|b`", "&lt;b>'a/b'"),
    ],
)
def test_a_card_shows_names_without_folders_and_markup(name, shown):
    command = f"x --dataset={name} --out-dir=/srv/secret/run --data-dir '/srv/se cret'"
    text = model_card(dataclasses.replace(build(), data={"name": name}), {"command": command})
    assert f"- data: {shown}" in text
    assert "secret" not in text
    assert "srv" not in text


def test_a_type_of_weights_that_there_is_not(tmp_path):
    with pytest.raises(InputError, match="weights is 'float8'; give 'float32' or 'float16'"):
        build().save(tmp_path / "never", weights="float8")
    with pytest.raises(InputError, match="revision is an option of a hub"):
        Model.from_pretrained("pretrained:gaussian", revision="main")


def test_a_card_of_a_model_alone():
    assert "## Results" not in build().card()
    assert "not calibrated" in build().card()
    assert "predict_proba" not in with_codes(num_classes=0, decoded_label=0).card()
    assert "clusters that nobody named" in with_codes(**CODES["modes"]).card()
    assert "no prior" in dataclasses.replace(build(), prior=None).card()


def test_models_that_come_with_the_library(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "PRETRAINED_FOLDER", tmp_path)
    build().save(tmp_path / "one")
    (tmp_path / "notes").mkdir()
    np.testing.assert_array_equal(
        aae_jax.load("pretrained:one").params["decoder"]["Head_0"]["Dense_0"]["bias"],
        Model.from_pretrained("pretrained:one").params["decoder"]["Head_0"]["Dense_0"]["bias"],
    )
    for bad in ("pretrained:two", "pretrained:notes", "pretrained:", "pretrained:../one", "pretrained:one/"):
        with pytest.raises(InputError, match="There is no model"):
            aae_jax.load(bad)


class Hub(BaseHTTPRequestHandler):
    """A hub with what the client asks of it: repositories, commits of small files, their downloads."""

    files: dict[str, bytes]
    made: list[str]
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Say nothing."""

    def answer(self, content, status=200, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "X-Repo-Commit": "c" * 40, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.path == "/api/repos/create":
            self.made.append(json.loads(sent)["name"])
            self.answer({"url": f"http://{self.headers['Host']}/me/model", "id": "me/model"})
        elif self.path.endswith("/preupload/main"):
            listed = [{"path": each["path"], "uploadMode": "regular"} for each in json.loads(sent)["files"]]
            self.answer({"files": [{**each, "shouldIgnore": False} for each in listed]})
        elif self.path.endswith("/commit/main"):
            for line in sent.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            place = f"http://{self.headers['Host']}/me/model/commit/{'c' * 40}"
            self.answer({"commitUrl": place, "commitOid": "c" * 40, "success": True})
        else:
            self.answer({"valid": True, "error": "", "errors": []})

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if "/resolve/" in self.path:
            name = self.path.rsplit("/", 1)[1]
            if not self.path.startswith("/me/model/") or name not in self.files:
                code = "EntryNotFound" if self.path.startswith("/me/model/") else "RepoNotFound"
                self.answer({"error": "none"}, 404, X_Error_Code=code)
            else:
                self.answer(self.files[name], ETag=f'"{hash(self.files[name]):x}"')
        elif self.path.startswith("/api/models/me/model"):
            listed = [{"rfilename": name} for name in self.files]
            self.answer({"id": "me/model", "sha": "c" * 40, "siblings": listed})
        elif self.path.startswith("/api/models/"):
            self.answer({"error": "none"}, 404, X_Error_Code="RepoNotFound")
        else:
            self.answer({"name": "me", "orgs": []})


@pytest.fixture
def hub(tmp_path):
    """The address of a hub on this machine, what it holds, and the environment of its clients."""
    handler = type("Hub", (Hub,), {"files": {}, "made": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    place = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path / "hub")}
    yield handler, {**kept, **place, "HF_TOKEN": "hf_of_nobody", "NO_PROXY": "*", "HF_HUB_DISABLE_TELEMETRY": "1"}
    server.shutdown()
    thread.join()
    server.server_close()


PUSH = """
import aae_jax
model = aae_jax.load("model")
print(model.push_to_hub("me/model", summary={"updates": 77}, weights="float16"))
again = aae_jax.Model.from_pretrained("me/model")
again.save("again", weights="float16")
again = aae_jax.Model.from_pretrained("me/model", revision="main", local_files_only=True)
"""
MISSING = """
import aae_jax
for name in ("me/nothing", "you/model"):
    try:
        aae_jax.Model.from_pretrained(name)
    except aae_jax.InputError as error:
        print(error)
"""


def run(code, folder, environment):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_model_goes_to_a_hub_and_comes_back(hub, tmp_path):
    handler, environment = hub
    build().save(tmp_path / "model", weights="float16")
    said = run(PUSH, tmp_path, environment)
    assert "/me/model/commit/" in said
    assert handler.made == ["model"]
    assert set(handler.files) == {"config.json", "model.safetensors", "README.md"}
    for name in ("config.json", "model.safetensors"):
        assert handler.files[name] == (tmp_path / "model" / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()
    assert b"77 updates" in handler.files["README.md"]
    lines = run(MISSING, tmp_path, environment).splitlines()
    assert [line.split(" cannot")[0] for line in lines] == ["The model 'me/nothing'", "The model 'you/model'"]


def test_a_missing_extra_is_named(monkeypatch):
    from aae_jax.saved import hub as module

    module._hub_model.cache_clear()
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match="huggingface_hub is not installed; install the extra hub"):
        build().push_to_hub("me/model")
    with pytest.raises(InputError, match="install the extra hub"):
        Model.from_pretrained("me/model")


def test_a_folder_comes_before_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build().save(tmp_path / "me" / "model")
    assert Model.from_pretrained("me/model").image_shape == build().image_shape
    assert Model.from_pretrained(tmp_path / "me" / "model").image_shape == build().image_shape
    with pytest.raises(InputError, match="does not exist"):
        Model.from_pretrained("nothing")

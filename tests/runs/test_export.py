"""`aae-jax export`, and the code of docs/serving.md, which serves what it wrote."""

import io
import json
import os
import re
import runpy
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import requests
from PIL import Image

from aae_jax import data, load
from tests.runs.test_model_commands import call

PAGE = Path(__file__).resolve().parents[2] / "docs" / "serving.md"
WITH_ONNX, SERVICE, WITH_JAX = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory):
    """A folder with `exported`, of a run of digits."""
    place = tmp_path_factory.mktemp("service")
    assert call("export", finished, "--out", place / "exported") == 0
    return place


def test_the_command_says_what_it_wrote(finished, tmp_path, capsys):
    out = tmp_path / "a folder" / "exported"
    assert call("export", finished, "--parts", "classifier", "--calibrated", "--out", out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"{out}/classifier.onnx", f"{out}/signature.json"]
    images = data.load_digits().test_images
    (chances,) = onnxruntime.InferenceSession(out / "classifier.onnx").run(None, {"images": images})
    np.testing.assert_allclose(chances, load(finished).predict_proba(images, calibrated=True), atol=1e-5)


def test_exports_that_cannot_be_made(finished, plain, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file")
    for arguments, words in [
        ((tmp_path / "nothing",), "does not exist"),
        ((plain, "--parts", "classifier"), "has no part 'classifier'; it has encoder, decoder"),
        ((plain, "--calibrated"), "no temperature"),
        ((finished, "--format", "tflite"), "--format"),
        ((finished, "--out", tmp_path / "taken"), "taken cannot be written"),
    ]:
        assert call("export", *arguments) == 2
        message = capsys.readouterr().err
        assert words in message
        assert message.count("\n") == 1


def test_the_examples_run(finished, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "onnx.py").write_text(WITH_ONNX)
    made = runpy.run_path("onnx.py")
    np.testing.assert_allclose(made["probabilities"].sum(1), np.ones(3), atol=1e-5)
    assert call("export", finished, "--out", folder / "other" / "exported", "--format", "stablehlo") == 0
    monkeypatch.chdir(folder / "other")
    (folder / "jax_alone.py").write_text(WITH_JAX)
    again = runpy.run_path(str(folder / "jax_alone.py"))
    np.testing.assert_allclose(again["probabilities"], made["probabilities"], atol=1e-5)


def test_the_service_answers_as_the_model_does(finished, folder):
    assert len([line for line in SERVICE.splitlines() if line]) <= 15
    (folder / "serve.py").write_text(SERVICE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "serve:app", "--port", str(port), "--log-level", "warning"]
    server = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    try:
        image = data.load_digits().test_images[0]
        sent = io.BytesIO()
        Image.fromarray(image).save(sent, format="png")
        answer = _posted(f"http://127.0.0.1:{port}/predict", sent.getvalue())
    finally:
        server.terminate()
        server.wait(20)
    signature = json.loads((folder / "exported" / "signature.json").read_text())
    assert list(answer) == signature["class_names"]
    np.testing.assert_allclose(list(answer.values()), load(finished).predict_proba(image[None])[0], atol=1e-5)


def _posted(address, content):
    """Return the answer of a service that is starting."""
    session = requests.Session()
    session.trust_env = False  # no proxy between processes of one machine
    until = time.monotonic() + 60
    while True:
        try:
            answer = session.post(address, data=content, timeout=20)
        except requests.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            answer.raise_for_status()
            return answer.json()

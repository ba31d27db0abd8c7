#!/usr/bin/env bash
# What travels to a machine without a network, into the ignored folder .gpu: pure wheels, MNIST's files, and what
# gpu_ten.py needs from a CPU (propagated labels of a row's ten subsets, 2.5 MB; weights to compare with, 5 MB).
# `benchmarks/gpu_prepare.sh FOLDER_WITH_MNIST [ROW]`
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"
mkdir -p .gpu/mnist
"$python" -m pip install --quiet --upgrade --no-deps --target .gpu/site \
    tyro jaxtyping wadler-lindig docstring-parser typeguard typing-extensions filelock
cp "$1"/*-ubyte* .gpu/mnist/
PYTHONPATH="$PWD:$PWD/benchmarks${PYTHONPATH:+:$PYTHONPATH}" JAX_PLATFORMS=cpu \
    "$python" benchmarks/gpu_inputs.py ${2:+--row "$2"}
du -sh .gpu

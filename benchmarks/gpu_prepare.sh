#!/usr/bin/env bash
# What travels to a machine without a network, into the ignored folder .gpu: pure wheels and MNIST's files.
# `benchmarks/gpu_prepare.sh FOLDER_WITH_MNIST`
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .gpu/mnist
"${PYTHON:-python3}" -m pip install --quiet --upgrade --no-deps --target .gpu/site \
    tyro jaxtyping wadler-lindig docstring-parser typeguard typing-extensions filelock
cp "$1"/*-ubyte* .gpu/mnist/
du -sh .gpu

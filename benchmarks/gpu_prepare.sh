#!/usr/bin/env bash
# What travels to a machine without a network, into the ignored folder .gpu: pure wheels, MNIST's files, and what
# gpu_ten.py needs from a CPU (propagated labels of a row's ten subsets, 2.5 MB; weights to compare with, 5 MB).
# `bash benchmarks/gpu_prepare.sh [--folder FOLDER] [--toy] FOLDER_WITH_MNIST [ROW]`
# --folder takes another folder than .gpu; --toy prepares for `bash benchmarks/gpu_ten.sh --toy`, in seconds.
# $PYTHON names the interpreter (python3), which needs pip and this package's dependencies.
set -euo pipefail
folder=.gpu
toy=()
while [[ "${1:-}" == --* ]]; do
    case "$1" in
    --folder)
        folder="${2:?--folder needs the name of a folder}"
        shift 2
        ;;
    --toy)
        toy=(--toy)
        shift
        ;;
    *)
        echo "error: there is no flag $1; give --folder or --toy." >&2
        exit 2
        ;;
    esac
done
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "error: give the folder with MNIST's files, and perhaps a row of the few-label table." >&2
    exit 2
fi
mnist="$(cd "$1" && pwd)"
mkdir -p "$folder/mnist"
folder="$(cd "$folder" && pwd)"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python="${PYTHON:-python3}"
"$python" -m pip install --quiet --upgrade --no-deps --target "$folder/site" \
    tyro jaxtyping wadler-lindig docstring-parser typeguard typing-extensions filelock
cp "$mnist"/*-ubyte* "$folder/mnist/"
PYTHONPATH="$PWD:$PWD/benchmarks${PYTHONPATH:+:$PYTHONPATH}" JAX_PLATFORMS=cpu \
    "$python" benchmarks/gpu_inputs.py --folder "$folder" ${toy[@]+"${toy[@]}"} ${2:+--row "$2"}
du -sh "$folder"

#!/usr/bin/env bash
# The first thing to run where there is a GPU: `bash benchmarks/gpu_ten.sh [--seconds 560]`; its flags are gpu_ten.py's.
# $PYTHON names the interpreter (python3); wheels that gpu_prepare.sh put into .gpu/site are found.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD:$PWD/benchmarks:$PWD/.gpu/site${PYTHONPATH:+:$PYTHONPATH}"
export XLA_PYTHON_CLIENT_PREALLOCATE=false PYTHONUNBUFFERED=1
export AAE_CACHE_DIR="${AAE_CACHE_DIR:-runs/gpu_cache}"
exec "${PYTHON:-python3}" benchmarks/gpu_ten.py "$@"

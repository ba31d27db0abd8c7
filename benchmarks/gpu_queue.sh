#!/usr/bin/env bash
# What waits for a GPU, as short jobs in order; all of them, or those that are named:
# `bash benchmarks/gpu_queue.sh [--toy] [FOLDER [JOB ...]]`
# Run benchmarks/gpu_ten.sh first: it measures in one process and ten minutes what the jobs here, each of which starts
# for 35 to 55 s, measure in an hour.
#
# A job that is done is not done again: FOLDER (default: runs/gpu_queue) keeps a small JSON file for each, and a log. Where
# $OUT names a folder that is fetched from a lent machine, one archive of all results is left there after each job. Stop
# it at any time and start it again with the same FOLDER. Needs jax, flax, optax, numpy, chex (and safetensors, PyYAML,
# jaxtyping, which pure wheels in .gpu/site can give: benchmarks/gpu_prepare.sh); PyTorch for the rival's rows, which are
# tried again where they were skipped. $PYTHON names the interpreter (python3).
# --toy runs every job at toy size, on whatever device there is: that is how it is tested.
set -uo pipefail
toy=()
while [[ "${1:-}" == --* ]]; do
    case "$1" in
    --toy)
        toy=(--toy)
        shift
        ;;
    *)
        echo "error: there is no flag $1; give --toy." >&2
        exit 2
        ;;
    esac
done
cd "$(dirname "$0")/.."
folder="${1:-runs/gpu_queue}"
only=("${@:2}")
known=()
mkdir -p "$folder"
export PYTHONPATH="$PWD:$PWD/.gpu/site${PYTHONPATH:+:$PYTHONPATH}"
export XLA_PYTHON_CLIENT_PREALLOCATE=false
export AAE_CACHE_DIR="${AAE_CACHE_DIR:-runs/gpu_cache}"
python="${PYTHON:-python3}"

failed=0
job() { # NAME, what to look for, arguments of gpu_job.py
    local name="$1" look="$2"
    shift 2
    known+=("$name")
    [[ ${#only[@]} -eq 0 || " ${only[*]} " == *" $name "* ]] || return 0
    if [ -s "$folder/$name.json" ] && ! grep -q '"skipped"' "$folder/$name.json"; then
        echo "== $name: done before"
    else
        echo "== $name: $look"
        local begun=$SECONDS
        if "$python" benchmarks/gpu_job.py "$@" ${toy[@]+"${toy[@]}"} --out "$folder/$name.json" >"$folder/$name.log" 2>&1; then
            echo "   $((SECONDS - begun)) s"
        else
            failed=$((failed + 1))
            echo "   failed after $((SECONDS - begun)) s; the end of its log:"
            tail -n 5 "$folder/$name.log"
            return
        fi
    fi
    "$python" benchmarks/gpu_job.py show "$folder/$name.json"
    if [ -n "${OUT:-}" ]; then
        find "$folder" -maxdepth 2 \( -name "*.json" -o -name "*.log" \) | tar -czf "$OUT/gpu_queue.tar.gz" -T -
    fi
}

job device "the card, its matrix rates and its bandwidth" device
job one_seed_100 "one seed at batch 100: 15,000 updates in 4 s or less" step --batch 100
job one_seed_100_tf32 "the same in TF32" step --batch 100 --precision tf32
job one_seed_100_bfloat16 "the same in bfloat16: is it faster here?" step --batch 100 --precision bfloat16
job default_100 "the default preset" step --batch 100 --preset default
job torch_eager "at least 10 times as slow as ours" torch --variant eager --batch 100
job torch_cudagraph "at least 2 times as slow" torch --variant cudagraph --batch 100
job torch_reduce_overhead "at least 1.1 times as slow" torch --variant reduce-overhead --batch 100
job seeds_8 "8 seeds at once: at most 4 times one" step --batch 100 --seeds 8
job seeds_64 "64 seeds at once: at most half of 64 in turn, and 60 % of the bandwidth" step --batch 100 --seeds 64
for precision in float32 tf32 bfloat16; do
    job "batch_8192_$precision" "batch 8,192: 60 % of the card's matrix rate at that precision" \
        step --batch 8192 --precision "$precision"
done
job mnist_1000 "test error with 1,000 labels, and how long it takes" train --labels 1000
job mnist_100 "the same with 100 labels" train --labels 100
for row in best-100 best-1000 best-100-shifts best-1000-shifts best-all; do
    job "few_labels_$row" "100,000 updates, ten subsets: the table of few labels" reproduce --row "$row"
done
for row in faithful-100 faithful-1000 faithful-all; do
    job "few_labels_$row" "the paper's settings, as many updates as 8 minutes hold" reproduce --row "$row" --minutes 8
done
job clustering_30 "30 clusters, 100,000 updates, 10 seeds: the paper's 4.10 %" \
    experiment --experiment clustering --preset no_graph --seeds 10
job clustering_16 "16 clusters: the paper's 9.55 %" \
    experiment --experiment clustering --preset no_graph_sixteen --seeds 10
job clustering_30_default "30 clusters that decide the digit" \
    experiment --experiment clustering --preset default --seeds 5
job clustering_graph "30 clusters begun with a graph's" experiment --experiment clustering --preset graph --seeds 5
job clustering_graph_shifts "the same with shifts" experiment --experiment clustering --preset graph_shifts --seeds 5
job label_regularized "a digit's codes in its own part" experiment --experiment label_regularized --preset default --seeds 5
job label_regularized_roll "the same on the roll" experiment --experiment label_regularized --preset swiss_roll --seeds 5
job dim_reduction_1000 "two dimensions, 1,000 labels: the paper's 4.20 %" \
    experiment --experiment dim_reduction --preset default --seeds 5
job dim_reduction_100 "the same with 100: 6.08 %" experiment --experiment dim_reduction --preset labels_100 --seeds 5
job dim_reduction_clusters "the same with 20 clusters: 13.95 %" \
    experiment --experiment dim_reduction --preset clusters --seeds 5
job likelihood "ten thousand and ten million samples: the paper's 340 and 427 nats" \
    experiment --experiment likelihood --preset ten_million --seeds 3
job dim_reduction_ten "ten dimensions, 100 labels: 3.90 %" \
    experiment --experiment dim_reduction --preset ten_dimensions --seeds 3
job unsupervised_roll "is the roll told from codes still?" \
    experiment --experiment unsupervised --preset swiss_roll --seeds 3
job supervised "a style of fifteen dimensions" experiment --experiment supervised --preset default --seeds 3
job supervised_ten "a style of ten dimensions: what of the label is left" \
    experiment --experiment supervised --preset ten --seeds 3
for name in ${only[@]+"${only[@]}"}; do
    if [[ " ${known[*]} " != *" $name "* ]]; then
        echo "error: there is no job $name; the jobs are ${known[*]}." >&2
        exit 2
    fi
done
[ "$failed" -eq 0 ] || echo "$failed jobs failed; start again to try them once more"
exit $((failed > 0))

#!/usr/bin/env bash
# From nothing to a compared pair of taggers: simulate, build graphs, train a graph and an image network on the same
# jets, evaluate, export, predict, and print a table. About ten minutes on two cores once installed.
#   bash scripts/demo.sh [FOLDER]      what FOLDER (default: demo) already holds is used again
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh sim

folder=${1:-demo}
mkdir -p "$folder"

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# Each step is a command one could type; it is left out where its result is there already.
unless() {
    local result=$1
    shift
    if [ -e "$result" ]; then
        echo "$result is there already"
    else
        echo "\$ $*"
        "$@"
    fi
}

simulate() {
    unless "$folder/$1_$3.root" \
        e2egraph simulate --process "$1" --events "$2" --seed "$3" --no-images --output "$folder/$1_$3.root"
}

step "1/6  Simulate pp collisions at 8 TeV in a parametric, CMS-like detector"
# Two processes at a time, of one thread each; the tail of the QCD spectrum has a sample of its own.
export OMP_NUM_THREADS=1
simulate ttbar 4200 1 &
first=$!
simulate qcd 2400 2
simulate qcd_600_3000 400 3
wait "$first"
unset OMP_NUM_THREADS

step "2/6  Build point clouds"
unless "$folder/data" e2egraph build-graphs --task top --workers 2 \
    --sample "top=$folder/ttbar_*.root" --sample "qcd=$folder/qcd*.root" --output "$folder/data"

step "3/6  Train a graph and an image network on the same jets, each until it learns no more"
# Of few jets the image network learns slowly: it takes a smaller learning rate and three times as many epochs.
train() {
    unless "$folder/runs/$(basename "$1" .yaml)/summary.json" e2egraph train --model "$1" --data "$folder/data" \
        --output "$folder/runs/$(basename "$1" .yaml)" --recipe short --set training.batch_size=32 "${@:2}"
}
train tracks-and-cells --set training.epochs=10
train configs/variants/resnet15-bright.yaml --set training.epochs=30 --set training.learning_rate=5e-4

step "4/6  Evaluate on the test jets"
for model in resnet15-bright tracks-and-cells; do
    unless "$folder/runs/$model/metrics.json" e2egraph evaluate "$folder/runs/$model"
done

step "5/6  Export to ONNX and predict with ONNX Runtime alone"
for model in resnet15-bright tracks-and-cells; do
    unless "$folder/exports/$model" e2egraph export "$folder/runs/$model" --output "$folder/exports/$model"
    unless "$folder/exports/$model.parquet" \
        e2egraph predict "$folder/exports/$model" --data "$folder/data" --split test \
        --output "$folder/exports/$model.parquet"
done

step "6/6  Compare"
e2egraph compare "$folder/runs/resnet15-bright" "$folder/runs/tracks-and-cells" --bundles "$folder/exports"

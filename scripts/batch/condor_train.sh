#!/usr/bin/env bash
# What condor_train.sub runs: condor_train.sh MODEL DATA RUN. Ends with 85 when it stopped with a checkpoint written:
# after PERIOD (so that the checkpoint is brought to safety), or because HTCondor sent SIGTERM.
set -uo pipefail

model=$1 data=$2 run=$3
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-4}
mkdir -p "$run" # so that there is something to bring back, however soon it ends

timeout --preserve-status --signal=TERM "${PERIOD:-4h}" \
    e2egraph train --model "$model" --data "$data" --output "$run" --recipe modern &
training=$!
trap 'kill -TERM "$training"' TERM
while kill -0 "$training" 2>/dev/null; do
    wait "$training"
    code=$?
done
if [ "$code" -eq 143 ]; then
    exit 85
fi
exit "$code"

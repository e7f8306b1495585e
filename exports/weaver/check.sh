#!/usr/bin/env bash
# Does weaver-core train its ParticleNet on what dump-jets writes? One short epoch on the processor, in a virtual
# environment of its own.
#   bash exports/weaver/check.sh LISTS [FOLDER]     LISTS: a data set of the 'top' task, written by e2egraph dump-jets;
#                                                   FOLDER: where to work
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$(cd "$1" && pwd)
folder=${2:-weaver-check}
mkdir -p "$folder"
cd "$folder"

if [ ! -x venv/bin/weaver ]; then
    "${PYTHON:-python3}" -m venv venv
    # The tested torch: weaver alone would take the newest, with gigabytes of CUDA.
    venv/bin/pip install --quiet 'torch==2.13.0' 'weaver-core>=0.5,<0.6'
fi
# Shorter jets and a small net: this checks that it runs, not how well it does. (With one epoch, weaver's own
# schedule would begin at a hundredth of the learning rate.)
sed 's/length: 1536/length: 256/' "$here/top.yaml" >top_short.yaml
venv/bin/weaver --data-train "$data"/part-*.parquet --data-test "$data"/part-*.parquet \
    --data-config top_short.yaml --network-config "$here/particlenet.py" \
    --network-option conv_params '[(8, (16, 16))]' --network-option fc_params '[(32, 0.1)]' \
    --model-prefix run/net --gpus '' --num-workers 0 --fetch-step 1 --in-memory --batch-size 32 \
    --samples-per-epoch 320 --samples-per-epoch-val 160 --num-epochs 1 --start-lr 3e-3 --lr-scheduler none --optimizer adam \
    --predict-output prediction.root
ls -l run/net_best_epoch_state.pt run/predict_output/prediction.root

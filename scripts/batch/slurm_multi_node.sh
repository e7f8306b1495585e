#!/usr/bin/env bash
# Several nodes on SLURM: sbatch scripts/batch/slurm_multi_node.sh gravnet data/top runs/gravnet
# One torchrun a node starts a process for each of its GPUs. training.batch_size is that of all GPUs together, so that
# the run learns the same as on one. Data and run must be on a file system that all nodes see.
#SBATCH --job-name=e2egraph
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --mem=64G
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@180
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
set -uo pipefail

model=$1 data=$2 run=$3
gpus=${SLURM_GPUS_ON_NODE:-4}
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export OMP_NUM_THREADS=$((SLURM_CPUS_PER_TASK / gpus))

srun --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    torchrun --nnodes "$SLURM_NNODES" --nproc-per-node "$gpus" --rdzv-id "$SLURM_JOB_ID" \
    --rdzv-backend c10d --rdzv-endpoint "$head:29500" -m \
    e2egraph train --model "$model" --data "$data" --output "$run" --recipe modern \
    --set training.batch_size=512 --set training.precision=bf16-mixed &
step=$!

# B:TERM comes to this shell, which passes it on; torchrun's exit code does not tell a stop from a failure, this does.
stopped=no
trap 'stopped=yes; kill -TERM "$step"' TERM
while kill -0 "$step" 2>/dev/null; do
    wait "$step"
    code=$?
done
if [ "$stopped" = yes ] && [ ! -e "$run/summary.json" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"

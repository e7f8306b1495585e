#!/usr/bin/env bash
# A search by eight GPUs on SLURM: sbatch scripts/batch/slurm_tune.sh gravnet data/top tune/gravnet
# Every task of the array gives the same command and takes trials of the one search until there are 100 in all. The
# output must be on a file system that all nodes see. What a killed task leaves unfinished, another takes up.
#SBATCH --job-name=e2egraph-tune
#SBATCH --array=1-8
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --gpus-per-task=1
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@180
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
set -uo pipefail

model=$1 data=$2 output=$3
export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK

srun --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    e2egraph tune --model "$model" --data "$data" --output "$output" --trials 100 --recipe modern
code=$?
if [ "$code" -eq 143 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"

#!/usr/bin/env bash
# One GPU on SLURM: sbatch scripts/batch/slurm_train.sh gravnet data/top runs/gravnet
# Three minutes before its time is over (or when it is preempted) the training is told to stop; it writes a checkpoint
# and the job queues again, to go on with the very next step. The run is the same as without the interruption.
#SBATCH --job-name=e2egraph
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --gpus-per-task=1
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@180
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
set -uo pipefail

model=$1 data=$2 run=$3
export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK

srun --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    e2egraph train --model "$model" --data "$data" --output "$run" --recipe modern
code=$?
# 143: stopped by SIGTERM with its checkpoint written. Anything else is the end, good or bad.
if [ "$code" -eq 143 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"

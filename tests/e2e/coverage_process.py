"""Run by ``torchrun`` in each process: a training that writes down which jets each of its steps was made of."""

import json
import os
import sys
from pathlib import Path

from e2egraph.cli import main
from e2egraph.training.steps.learner import Learner

steps: list[list[int]] = []
validated: list[int] = []
learn, score = Learner.step, Learner.score


def step(self, batch, rate, epoch, scores):
    steps.append(batch.number.tolist())
    return learn(self, batch, rate, epoch, scores)


def validate(self, batch, scores):
    validated.extend(batch.number.tolist())
    return score(self, batch, scores)


Learner.step, Learner.score = step, validate
folder, words = Path(sys.argv[1]), sys.argv[2:]
code = main(words)
(folder / f"{os.environ['RANK']}.json").write_text(json.dumps({"steps": steps, "validated": validated}))
sys.exit(code)

"""The training loop: all members side by side, each stopping at its own best epoch."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabnet_auto.config import MemberSettings, TrainConfig
from tabnet_auto.folds import Folds
from tabnet_auto.net.device_random import DeviceRandom
from tabnet_auto.net.layers import MemberRandom
from tabnet_auto.trace import Trace
from tabnet_auto.train.graph import EagerSteps, GraphSteps, StepInputs, Steps
from tabnet_auto.train.halving import Halving
from tabnet_auto.train.loss import counted, explained_share, member_losses
from tabnet_auto.train.optimizer import MemberAdamW, flat_cosine
from tabnet_auto.train.pieces import is_out_of_memory, run_members
from tabnet_auto.train.rows import RowStore, Targets, epoch_batches, spread_rows
from tabnet_auto.train.state import (
    TrainState,
    buffers_held,
    select_members,
    store_best,
    weights_of,
)
from tabnet_auto.train.validate import ScoreMembers, validate


class Clock:
    """How far the plan is: the larger of the share of epochs done and the share of time gone."""

    def __init__(
        self, max_epochs: int, deadline: float | None, halving: Halving | None = None
    ) -> None:
        self.max_epochs, self.halving = max_epochs, halving
        self.start, self.deadline = time.monotonic(), deadline

    def time_share(self) -> float:
        """Share of the plan that is due by the time that is gone; 0 without a deadline."""
        if self.deadline is None:
            return 0.0
        share = (time.monotonic() - self.start) / max(self.deadline - self.start, 1e-9)
        return share if self.halving is None else self.halving.pace(share)

    def progress(self, epochs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the plan done after (fractional) epochs, at most 1."""
        share: NDArray[np.float64] = np.maximum(epochs / self.max_epochs, self.time_share())
        return share.clip(max=1.0)

    def left(self, epochs: int) -> float:
        """Estimated seconds to the end of the plan."""
        gone = time.monotonic() - self.start
        done = float(self.progress(np.array(float(epochs))))
        return gone * (1.0 - done) / done if done > 0 else 0.0


class Trainer:
    """Train all members; thrown away when done. :meth:`run` is the loop.

    The network's members that have finished leave the batch, and cost nothing from then on.
    ``settings`` are what differs between members.
    """

    def __init__(
        self,
        net: nn.Module,
        store: RowStore,
        targets: Targets,
        folds: Folds,
        config: TrainConfig,
        score: ScoreMembers,
        *,
        trace: Trace,
        settings: MemberSettings | None = None,
    ) -> None:
        self.net, self.store, self.targets, self.folds = net, store, targets, folds
        self.config, self.score, self.trace = config, score, trace
        self.optimizer = MemberAdamW(net, config, settings)
        seeds, device = [seed + 1 for seed in folds.seed], store.x_num.device
        self.random = MemberRandom(seeds, settings)
        self.steps: Steps = EagerSteps(self._step)
        if device.type != "cpu":
            self.random = DeviceRandom(seeds, settings, device)
            self.steps = GraphSteps(self._step, device, trace.note)
        n = folds.n_members
        self.members_at_once = config.members_at_once or n
        self.state = TrainState(
            epoch=0, n_steps=0, alive=list(range(n)), best=weights_of(net),
            best_loss=[float("inf")] * n, best_score=[math.nan] * n, best_epoch=[0] * n,
        )  # fmt: skip

    def first_epoch(self, until: float | None, stop: Callable[[], bool]) -> None:
        """Train one epoch, cut short at ``until`` (a ``time.monotonic()`` instant).

        However short the time, there is a scored answer then; :meth:`run` goes on from it.
        """
        self._find_members_at_once()
        clock = Clock(self.config.max_epochs, None)
        self.state.epoch += 1
        losses = self._epoch(clock, lambda: stop() or (until or math.inf) <= time.monotonic())
        self._validate(losses, clock.left(self.state.epoch))

    def run(
        self,
        *,
        deadline: float | None = None,
        stop: Callable[[], bool] = lambda: False,
        last_epoch: int | None = None,
        halving: Halving | None = None,
    ) -> TrainState:
        """Train until every member has stopped, the plan ends, or ``stop()`` is true.

        ``deadline`` is a ``time.monotonic()`` instant; the schedule bends to end there. With
        ``last_epoch`` the training ends after it, in the middle of the schedule. A member
        without validation rows keeps its latest snapshot. ``halving`` lets members leave early.
        """
        state = self.state
        clock = Clock(self.config.max_epochs, deadline, halving)
        end = self.config.max_epochs if last_epoch is None else last_epoch
        self._find_members_at_once()
        while not (reason := self._reason_to_stop(clock, end, stop)):
            state.epoch += 1
            losses = self._epoch(clock, stop)
            self._validate(losses, clock.left(state.epoch))
            if halving is not None:
                progress = clock.progress(np.array(float(state.epoch))).item()
                self._go_on(halving.survivors(state, progress))
        self.steps.forget()  # and the memory that a recorded step holds
        self.trace.add("stopped", reason=reason, epoch=state.epoch)
        return state

    def gaps(self) -> dict[int, float]:
        """Return each alive member's loss on its validation rows less that on rows it learned.

        These are evenly spaced, and as many; without validation rows the answer is NaN.
        """
        alive, sides = self.state.alive, (self.folds.train, self.folds.valid)
        with self.optimizer.averaged():
            learned, held = (
                validate(
                    self.net, self.store, self.targets, alive,
                    [spread_rows(side[m], len(self.folds.valid[m])) for m in alive], self.score,
                ).losses
                for side in sides
            )  # fmt: skip
        return {m: b - a for m, a, b in zip(alive, learned, held, strict=True)}

    def _reason_to_stop(self, clock: Clock, end: int, stop: Callable[[], bool]) -> str:
        """Say why the run ends before the next epoch, or nothing; finished members leave."""
        if self.state.epoch and stop():
            return "requested"
        self._leave()
        if not self.state.alive:
            return "converged"
        if self.state.epoch >= end:
            return "max_epochs"
        # However short the time, there is an answer: one step, scored.
        return "time_limit" if self.state.epoch and clock.time_share() >= 1.0 else ""

    def _train(self) -> list[NDArray[np.int64]]:
        return [self.folds.train[m] for m in self.state.alive]

    def _epoch(self, clock: Clock, stop: Callable[[], bool]) -> Tensor:
        """One pass over the training rows; returns each alive member's mean training loss."""
        self.net.train()
        state = self.state
        count = np.zeros(len(state.alive), dtype=np.float32)
        drop_scale = flat_cosine(clock.progress(np.array(state.epoch - 1.0))).item()
        with self.steps.running():
            total = torch.zeros(len(state.alive), device=self.store.x_num.device)
            for batch in epoch_batches(self._train(), self.config.batch_size, self.random):
                if state.n_steps and (clock.time_share() >= 1.0 or stop()):
                    break
                progress = clock.progress(state.epoch - 1 + batch.share)
                factors = self.optimizer.factors(progress, batch.paused)
                total += self.steps.take(batch, factors, drop_scale)
                count += batch.active.any(1)
                state.n_steps += 1
        return total / torch.from_numpy(count).clamp_min(1).to(total.device)

    def _step(self, inputs: StepInputs, paused: Sequence[int]) -> Tensor:
        """Take one step of all members; returns the losses of those that move, 0 of others.

        On a GPU this is recorded once and replayed: nothing in it may look at a tensor's numbers.
        """
        try:
            losses = torch.cat(list(self._pieces(inputs, paused)))
            self.optimizer.step(inputs.factors)
        except BaseException:
            self.net.zero_grad(set_to_none=True)
            raise
        return torch.where(inputs.factors[2] > 0.0, losses, 0.0)

    def _pieces(self, inputs: StepInputs, paused: Sequence[int]) -> Iterator[Tensor]:
        """Add up gradients, members in pieces that fit; yields the losses of each piece."""
        index, active = inputs.rows, inputs.active
        rows, (y, weight) = self.store.at(index), self.targets.gather(index)
        n = len(index)
        for start in range(0, n, self.members_at_once):
            own = slice(start, min(start + self.members_at_once, n))
            given = y[own], None if weight is None else weight[own], active[own]
            goal = self.targets.goal(*given) if self.net.uses_goal else None
            with self._standing_still(paused):
                output = run_members(self.net, own, rows, self.random, inputs.drop_scale, goal)
            if output.objective is not None:
                output.objective.sum().backward()
                yield (output.objective - output.penalty).detach()
                continue
            loss_of = self._loss_of(*given)
            losses = loss_of(output.logits)
            penalty = output.penalty
            if output.by_share is not None:
                share = explained_share(output.logits, losses, loss_of)
                penalty = penalty + counted(output.by_share, share)
            (losses + penalty).sum().backward()
            yield losses.detach()

    def _loss_of(
        self, y: Tensor, weight: Tensor | None, active: Tensor
    ) -> Callable[[Tensor], Tensor]:
        return lambda logits: member_losses(self.targets.losses(logits, y), weight, active)

    def _find_members_at_once(self) -> None:
        """Halve the members that take a step at once until one fits into memory.

        The trial step leaves no mark.
        """
        everyone = range(len(self.state.alive))
        self.net.train()
        self.steps.forget()
        while True:
            with self.steps.running(), self._standing_still(everyone):
                batch = next(epoch_batches(self._train(), self.config.batch_size, self.random))
                still = self.optimizer.factors(np.zeros(len(everyone)), everyone)
                try:
                    for _ in self._pieces(self.steps.inputs(batch, still, 1.0), ()):
                        pass
                except RuntimeError as error:
                    if self.members_at_once == 1 or not is_out_of_memory(error):
                        raise
                    self.members_at_once = -(-self.members_at_once // 2)
                    continue
                finally:
                    self.net.zero_grad(set_to_none=True)
            return

    @contextlib.contextmanager
    def _standing_still(self, paused: Sequence[int]) -> Iterator[None]:
        """Run a forward pass that leaves no mark on members whose epoch is over."""
        if not paused:
            yield
            return
        with self.random.held(paused), buffers_held(self.net, paused):
            yield

    def _validate(self, train_loss: Tensor, eta: float) -> None:
        """Score every alive member on its validation rows and keep the best snapshots."""
        state = self.state
        valid = [self.folds.valid[m] for m in state.alive]
        with self.optimizer.averaged():
            found = validate(self.net, self.store, self.targets, state.alive, valid, self.score)
            current = self.net.state_dict()
        improved = [
            i for i, m in enumerate(state.alive)
            if found.losses[i] < state.best_loss[m] or len(valid[i]) == 0
        ]  # fmt: skip
        store_best(state.best, current, [state.alive[i] for i in improved], improved)
        for i in improved:
            member = state.alive[i]
            state.best_loss[member], state.best_score[member] = found.losses[i], found.scores[i]
            state.best_epoch[member] = state.epoch
        self.trace.add(
            "epoch", epoch=state.epoch, max_epochs=self.config.max_epochs,
            members=list(state.alive), train_loss=train_loss.tolist(), valid_loss=found.losses,
            score=found.scores, best_score=list(state.best_score),
            best_epoch=list(state.best_epoch), eta=eta, attention_columns=found.columns,
            attention=found.attention,
        )  # fmt: skip

    def _leave(self) -> None:
        """Take members whose patience has ended out of the batch."""
        state, patience = self.state, self.config.patience
        self._go_on([m for m in state.alive if state.epoch - state.best_epoch[m] < patience])

    def _go_on(self, members: Collection[int]) -> None:
        """Keep some of the members that are still training."""
        state = self.state
        keep = [i for i, m in enumerate(state.alive) if m in members]
        if 0 < len(keep) < len(state.alive):
            self._select(keep)
        state.alive = [state.alive[i] for i in keep]

    def _select(self, keep: Sequence[int]) -> None:
        self.steps.forget()
        select_members(self.net, keep)
        self.optimizer.select(keep)
        self.random.select(keep)
        self.store.select(keep)
        self.targets.select(keep)

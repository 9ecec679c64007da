"""What every trainer of a library does otherwise here: where it saves, how it goes on, and what is looked at on the way."""

from collections.abc import Callable
from typing import Any

import torch

from workers.training.training_state import TrainingState

# What a library's trainer counts its tokens in, if it does.
_OWN_COUNTER = "_total_train_tokens"


class Durable:
    """Put before a class of transformers' trainers: without three of its habits. What it computes is untouched.

    A trainer that keeps more than transformers does between two steps, such as a moving average, says so in `own_state`.
    """

    # Stores what is due behind a step.
    save: Callable[[int], None]
    # Looks at the gradients of the step with this number, before they are clipped.
    before_clipping: Callable[[int], None] | None = None
    _earlier: TrainingState
    _counted_tokens: int = 0
    args: Any
    state: Any
    train: Callable[..., Any]

    def go_on_from(self, earlier: TrainingState) -> None:
        """Train on from where another trainer with the same arguments stood, as if it had never stopped."""
        self._earlier = earlier
        # The other one has done it.
        self.args.eval_on_start = False
        self.train(resume_from_checkpoint=str(earlier.folder))

    def own_state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """What else the next attempt needs, as tensors and as JSON."""
        return {}, {}

    def restore_own_state(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Take over what `own_state` answered."""

    @property
    def trained_tokens(self) -> int:
        """Tokens trained so far, padding left out."""
        return int(getattr(self, _OWN_COUNTER, self._counted_tokens))

    @trained_tokens.setter
    def trained_tokens(self, count: int) -> None:
        self._counted_tokens = count
        if hasattr(self, _OWN_COUNTER):
            setattr(self, _OWN_COUNTER, count)

    def log(self, logs: dict[str, float], *arguments: Any, **named: Any) -> None:
        """With the tokens so far, for trainers that don't tell."""
        if not hasattr(self, _OWN_COUNTER):
            logs.setdefault("num_tokens", self._counted_tokens)
        super().log(logs, *arguments, **named)  # type: ignore[misc] # the trainer it is put before has it

    def _track_num_input_tokens(self, inputs: dict[str, Any]) -> None:
        """Called with each batch that was trained."""
        super()._track_num_input_tokens(inputs)  # type: ignore[misc] # see log
        if not hasattr(self, _OWN_COUNTER):
            self._counted_tokens += _token_count(inputs)

    def _clip_grad_norm(self, model: Any) -> Any:
        self._look_at_gradients()
        return super()._clip_grad_norm(model)  # type: ignore[misc] # see log

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        if grad_norm is None:
            # Nothing was clipped.
            self._look_at_gradients()
        return super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[misc] # see log

    def _look_at_gradients(self) -> None:
        if self.before_clipping is not None:
            self.before_clipping(self.state.global_step + 1)

    def _send_telemetry(self) -> None:
        """Nothing about a job leaves the machine."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """The library's own checkpoints hold pickles, and paths of this machine."""
        self.save(self.state.global_step)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self._earlier.restore_weights(self)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            self._earlier.restore_optimizer(self)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Called behind the first batches, since drawing their order takes random numbers that were drawn before."""
        self._earlier.restore_random()


def _token_count(inputs: dict[str, Any]) -> int:
    """Tokens of a batch without padding; rows where there are none, as of pictures."""
    mask = inputs.get("attention_mask")
    if isinstance(mask, torch.Tensor):
        return int(mask.sum())
    ids = inputs.get("input_ids")
    if isinstance(ids, torch.Tensor):
        return ids.numel()
    tensors = [value for value in inputs.values() if isinstance(value, torch.Tensor) and value.dim()]
    return len(tensors[0]) if tensors else 0

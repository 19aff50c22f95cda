"""Training on examples, with `transformers.Trainer`: a mixture's routers and experts together, or a plain LoRA."""

from hubexpert.train.loop import steps_an_epoch, train, trainable

__all__ = ["steps_an_epoch", "train", "trainable"]

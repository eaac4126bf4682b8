"""MMEngine's runner, which hands weights to the model instead of the names of files."""

from mmdet.registry import MODELS
from mmengine.runner import Runner
from torch import nn

from gslora_det.weights import CheckpointError, read_weights


def build_from_files(model: dict) -> nn.Module:
    """Builds an ``UnlearningDetector`` whose config names the files of its weights.

    Raises:
        CheckpointError: A file cannot be read, or does not fit the detector.
        ValueError: Something in the config does not fit the rest.
    """
    files = dict(weights=model['weights'], original=model['original'])
    states = {file: read_weights(file) for file in files.values()}
    try:
        return MODELS.build(dict(model, **{name: states[file] for name, file in files.items()}))
    except CheckpointError as error:
        raise CheckpointError(f'{files["weights"]}: {error}') from None


class TaskRunner(Runner):
    """A runner whose config may name the files of an ``UnlearningDetector``'s weights."""

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Builds the model, with the weights that its config names."""
        if isinstance(model, dict) and 'weights' in model:
            model = build_from_files(model)
        return super().build_model(model)

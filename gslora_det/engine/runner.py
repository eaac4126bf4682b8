"""MMEngine's runner, which hands weights to the model instead of the names of files."""

from typing import Union

from mmengine.runner import Runner
from torch import nn

from gslora_det.weights import CheckpointError, read_weights


class TaskRunner(Runner):
    """A runner whose config names the files of an ``UnlearningDetector``'s weights."""

    def build_model(self, model: Union[nn.Module, dict]) -> nn.Module:
        """Builds the model, with the weights that its config names.

        Raises:
            CheckpointError: A file cannot be read, or does not fit the detector.
        """
        if not isinstance(model, dict) or 'weights' not in model:
            return super().build_model(model)
        files = dict(weights=model['weights'], original=model['original'])
        states = {file: read_weights(file) for file in files.values()}
        try:
            return super().build_model(
                dict(model, **{name: states[file] for name, file in files.items()}))
        except CheckpointError as error:
            raise CheckpointError(f'{files["weights"]}: {error}') from None

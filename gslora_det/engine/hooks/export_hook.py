import json
from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from gslora_det.engine.unwrapped import unwrapped
from gslora_det.lora import lora_groups, plain_state_dict
from gslora_det.weights import FACTS, save_adapter, save_weights, weights_digest

ADAPTER, MERGED = 'adapter.safetensors', 'merged.pth'


@HOOKS.register_module()
class ExportHook(Hook):
    """Ends a task: keeps the adapter, merges it, and writes the plain detector.

    The adapter says to which weights it belongs: ``base`` is the digest of those that it was
    trained on, ``merged`` of those that it makes of them.

    Args:
        meta (dict): Plain-typed facts to store with the merged weights; the adapter keeps
            those in :data:`FACTS`.

    Attributes:
        norms (dict[str, float]): Size of every group's update, taken before merging.
    """

    def __init__(self, meta: dict) -> None:
        self.meta = meta
        self.norms = {}

    def after_train(self, runner: Runner) -> None:
        model = unwrapped(runner.model)
        self.norms = {group.name: group.norm() for group in lora_groups(model.detector)}
        tensors, facts = model.method.adapter(model.detector)
        tensors = {name: tensor.clone() for name, tensor in tensors.items()}
        if tensors:  # it trained nothing else
            facts = dict(facts, base=weights_digest(plain_state_dict(model.detector)))
        model.method.after_task(model.detector)
        self._save(runner, plain_state_dict(model.detector), tensors, facts)

    @master_only
    def _save(self, runner: Runner, merged: dict, tensors: dict, facts: dict) -> None:
        folder = Path(runner.work_dir)
        if tensors:
            facts = dict(facts, merged=weights_digest(merged),
                         **{key: json.dumps(self.meta[key]) for key in FACTS})
            save_adapter(tensors, folder / ADAPTER, facts)
        save_weights(merged, folder / MERGED, meta=self.meta)

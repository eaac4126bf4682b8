import json
from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from gslora_det.engine.checkpoint import FACTS, save_adapter, save_weights
from gslora_det.engine.hooks.method_hook import unlearning_detector
from gslora_det.lora import lora_groups, plain_state_dict

ADAPTER, MERGED = 'adapter.safetensors', 'merged.pth'


@HOOKS.register_module()
class ExportHook(Hook):
    """Ends a task: keeps the adapter, merges it, and writes the plain detector.

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
        model = unlearning_detector(runner)
        self.norms = {group.name: group.norm() for group in lora_groups(model.detector)}
        self._save_adapter(runner, *model.method.adapter(model.detector))
        model.method.after_task(model.detector)
        self._save_merged(runner, plain_state_dict(model.detector))

    @master_only
    def _save_adapter(self, runner: Runner, tensors: dict, metadata: dict) -> None:
        if tensors:
            facts = {key: json.dumps(self.meta[key]) for key in FACTS}
            save_adapter(tensors, Path(runner.work_dir) / ADAPTER, dict(metadata, **facts))

    @master_only
    def _save_merged(self, runner: Runner, state: dict) -> None:
        save_weights(state, Path(runner.work_dir) / MERGED, meta=self.meta)

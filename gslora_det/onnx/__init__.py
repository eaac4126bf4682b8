"""Detectors as ONNX files, which run without PyTorch and MMDetection."""

from gslora_det.onnx.export import TOLERANCE, export_onnx

__all__ = ['TOLERANCE', 'export_onnx']

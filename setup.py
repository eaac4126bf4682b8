from pathlib import Path

from setuptools import find_packages, setup

setup(
    name='gslora_det',
    version='0.1.0',
    description='Object-detection unlearning on MMDetection: GS-LoRA and continual '
    'forgetting',
    long_description=Path(__file__).with_name('README.md').read_text('utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['gslora_det', 'gslora_det.*', 'gslora_det_cli']),
    package_data={
        'gslora_det.reporting': ['template/*'],
        # Links to the folders of the repository, where MMEngine looks for `gslora_det::…`.
        'gslora_det': ['.mim/model-index.yml', '.mim/configs/**/*.py', '.mim/configs/*.yml',
                       '.mim/checkpoints/deformable-detr_r18_glyph80.pth'],
    },
    entry_points={'console_scripts': ['gslora = gslora_det_cli.__main__:main']},
    # MMDetection is not listed: two distributions, onedl-mmdetection and mmdet, provide
    # it under the same import names, and either works. constraints.txt names one set.
    install_requires=[
        'torch>=2.6', 'numpy', 'scikit-learn>=1.3', 'pycocotools', 'safetensors', 'filelock',
        'rich', 'matplotlib', 'jinja2',
    ],
    extras_require={
        'mmdet': ['onedl-mmdetection>=3.5', 'onedl-mmcv>=2.3', 'onedl-mmengine>=0.10.12'],
        'notebook': ['jupyterlab'],
        'docs': ['mkdocs<2', 'mkdocs-material', 'mkdocstrings[python]'],
        'fast': ['faster-coco-eval>=1.6'],
        'onnx': ['onnx', 'onnxruntime>=1.12'],
        'test': ['pytest', 'pytest-xdist', 'hypothesis', 'ipython', 'nbformat', 'ruff',
                 'selenium', 'faster-coco-eval>=1.6', 'onnx', 'onnxruntime>=1.12'],
    })

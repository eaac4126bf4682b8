# From the backbone's ImageNet weights, as MMDet trains the detector. They are those of
# torchvision://resnet50, by their address: torchvision need not be installed.
_base_ = '_fine-tuning.py'
model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth')))
method = dict(_delete_=True, type='Retrain', start='scratch')

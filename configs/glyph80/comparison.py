# What tools/compare.py runs. Every cell is a setting's config, changed as the setting and
# then the method say; all methods see the same buffers and the same number of images.
_few = dict(shots=4, per='class', batch_size=8)
settings = {
    '80-1': dict(config='ddetr_forget_80-1.py'),
    '80-5': dict(config='ddetr_forget_80-5.py'),
    '80-40': dict(config='ddetr_forget_80-40.py', sequence=dict(iters=300)),
    '80-70': dict(config='ddetr_forget_80-70.py', sequence=dict(iters=300)),
    '80-5 4-shot': dict(
        config='ddetr_forget_80-5.py',
        sequence=dict(forget=dict(_delete_=True, **_few), retain=dict(_delete_=True, **_few))),
    # Five retained classes have no training data: the first of the order, as the authors do.
    '80-5 missing': dict(
        config='ddetr_forget_80-5.py',
        sequence=dict(
            missing=['Greek omega', 'Greek zeta', 'Greek lamda', 'digit 6', 'Cyrillic El'])),
    # Retained objects in forget images, and the reverse, are no background.
    '80-5 ignore': dict(
        config='ddetr_forget_80-5.py', sequence=dict(mixed_images='ignore')),
    '80-10x7': dict(config='ddetr_forget_80-10x7.py'),
}
seeds = {'80-1': 3, '80-5': 3, '80-40': 3, '80-70': 3, '80-5 4-shot': 3, '80-5 missing': 1,
         '80-5 ignore': 1, '80-10x7': 1}


def _trained(lr, **method):
    """A method that trains the detector's own weights, the backbone more slowly as in DETR."""
    return dict(
        method=dict(_delete_=True, **method),
        optim_wrapper=dict(
            optimizer=dict(lr=lr),
            paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))))


def _distilled(lr, **method):
    return _trained(lr, cache_teachers=True, **method)  # no random augmentation here


# The values below were chosen by `tools/compare.py --tune` from the grids that follow.
methods = {
    'Retrain, from scratch': _trained(1e-4, type='Retrain', start='scratch'),
    "Retrain, authors' reading": _trained(3e-3, type='Retrain', start='checkpoint'),
    'RehearsalFinetune': _trained(3e-3, type='RehearsalFinetune'),
    'GradientAscent': _trained(3e-6, type='GradientAscent'),
    'RandomDrop': dict(method=dict(_delete_=True, type='RandomDrop', rate=0.05)),
    'HeadMask': dict(method=dict(_delete_=True, type='HeadMask')),
    'SSD': dict(method=dict(_delete_=True, type='SSD', alpha=10000.0)),
    'L2': _trained(1e-2, type='L2', relabel='random', weight=0.01),
    'EWC': _trained(1e-3, type='EWC', relabel='random', weight=1.0),
    'MAS': _trained(1e-3, type='MAS', relabel='random', weight=0.01),
    'LwF': _distilled(1e-3, type='LwF', relabel='sink', weight=0.00005),
    'DER': _distilled(1e-3, type='DER', relabel='sink', weight=0.001),
    'DERPlusPlus': _distilled(
        1e-3, type='DERPlusPlus', relabel='sink', retain_weight=0.1),
    'FDR': _distilled(1e-3, type='FDR', relabel='sink', weight=0.5),
    'SCRUB': _distilled(1e-3, type='SCRUB', weight=0.01),
    'SCRUBS': _distilled(1e-3, type='SCRUBS', weight=0.03),
    'LIRF': _distilled(3e-2, type='LIRF', relabel='sink', weight=1.0),
    # The published terms alone, with steps that suit so few of them.
    "GSLoRA, paper's loss": dict(
        method=dict(_delete_=True, type='GSLoRA', lora_alpha=8, beta=0.05),
        optim_wrapper=dict(optimizer=dict(lr=6e-3))),
    'GSLoRA': dict(),  # our recipe, as in its own config
    'GSLoRAPlusPlus': dict(method=dict(type='GSLoRAPlusPlus', prototype_forget=0.005)),
}
# AP cannot tell it from forgetting.
controls = ['HeadMask']


def _choices(names, *values):
    keys = [dict(lr='optim_wrapper.optimizer.lr').get(name, f'method.{name}')
            for name in names.split()]
    return [dict(zip(keys, value)) for value in values]


# Tuned on five classes of another order than the table's; later values go on from the best of
# the earlier ones. Methods that are not here: Retrain from scratch has too few steps to learn
# anything; RehearsalFinetune takes the rate of Retrain, which trains alike; HeadMask
# has no choice; GSLoRA is as in its own config.
tuning = dict(config='ddetr_forget_80-5.py', sequence=dict(order=7))
grids = {
    "Retrain, authors' reading": _choices('lr', (4e-4,), (1e-3,), (3e-3,), (1e-2,)),
    'GradientAscent': _choices('lr', (1e-6,), (3e-6,), (1e-5,)),
    'RandomDrop': _choices('rate', (0.01,), (0.05,), (0.2,)),
    'SSD': _choices('alpha', (10.0,), (100.0,), (1000.0,), (10000.0,),
                    (100000.0,)),
    'L2': _choices('lr weight relabel', (1e-3, 0.01, 'random'), (3e-3, 0.01, 'random'),
                   (1e-2, 0.01, 'random'), (1e-3, 1.0, 'random'), (3e-3, 0.01, 'sink'),
                   (3e-2, 0.01, 'random'), (1e-2, 0.001, 'random'), (1e-2, 0.01, 'background')),
    'EWC': _choices('lr weight relabel', (1e-3, 10.0, 'random'), (3e-3, 10.0, 'random'),
                    (1e-3, 1.0, 'random'), (1e-3, 1000.0, 'random'), (1e-3, 10.0, 'sink'),
                    (3e-4, 1.0, 'random'), (1e-3, 0.1, 'random'), (1e-3, 1.0, 'background')),
    'MAS': _choices('lr weight relabel', (1e-3, 0.1, 'random'), (3e-3, 0.1, 'random'),
                    (1e-3, 0.01, 'random'), (1e-3, 10.0, 'random'), (1e-3, 0.1, 'sink'),
                    (3e-4, 0.01, 'random'), (1e-3, 0.001, 'random'),
                    (1e-3, 0.01, 'background')),
    'LwF': _choices('lr weight relabel', (1e-3, 0.5, 'random'), (1e-3, 0.5, 'sink'),
                    (3e-3, 0.5, 'sink'), (3e-4, 0.5, 'sink'), (1e-3, 0.05, 'sink'),
                    (1e-3, 0.5, 'background'), (1e-3, 0.005, 'sink'),
                    (1e-3, 0.0005, 'sink'), (1e-3, 0.00005, 'sink')),
    'DER': _choices('lr weight relabel', (1e-3, 0.001, 'random'), (3e-3, 0.001, 'random'),
                    (1e-3, 0.01, 'random'), (1e-3, 0.001, 'sink'), (3e-3, 0.001, 'sink'),
                    (3e-4, 0.001, 'sink'), (1e-3, 0.0001, 'sink'),
                    (1e-3, 0.001, 'background'), (1e-3, 0.01, 'sink')),
    'DERPlusPlus': _choices('lr retain_weight relabel', (1e-3, 0.1, 'random'),
                            (3e-3, 0.1, 'random'), (1e-3, 1.0, 'random'), (1e-3, 0.1, 'sink'),
                            (3e-3, 0.1, 'sink'), (3e-4, 0.1, 'sink'), (1e-3, 0.01, 'sink'),
                            (1e-3, 0.1, 'background'))
                   + _choices('lr weight retain_weight relabel', (1e-3, 0.01, 0.1, 'sink')),
    'FDR': _choices('lr weight relabel', (1e-3, 5.0, 'random'), (3e-3, 5.0, 'random'),
                    (1e-3, 0.5, 'random'), (1e-3, 5.0, 'sink'), (1e-3, 0.5, 'sink'),
                    (1e-3, 0.05, 'sink'), (3e-4, 0.5, 'sink'), (1e-3, 0.5, 'background')),
    'SCRUB': _choices('lr weight', (1e-3, 1.0), (3e-3, 1.0), (1e-3, 0.1), (1e-4, 1.0),
                      (1e-3, 0.01), (1e-3, 0.001), (1e-3, 0.03)),
    'SCRUBS': _choices('lr weight', (1e-3, 0.01), (1e-3, 0.1), (1e-3, 1.0), (1e-3, 0.03)),
    # Only backbone and neck train, the backbone at a tenth of the rate.
    'LIRF': _choices('lr weight relabel', (1e-3, 1.0, 'random'), (3e-3, 1.0, 'random'),
                     (1e-3, 10.0, 'random'), (3e-3, 1.0, 'sink'), (1e-2, 1.0, 'sink'),
                     (3e-2, 1.0, 'sink'), (1e-2, 0.1, 'sink'), (1e-2, 1.0, 'background'),
                     (1e-1, 1.0, 'sink')),
    "GSLoRA, paper's loss": _choices(
        'lr beta lora_alpha', (3e-4, 0.15, 1), (2e-3, 0.15, 8), (2e-3, 0.3, 8), (1e-3, 0.3, 8),
        (3e-3, 0.3, 8), (2e-3, 1.0, 8), (3e-3, 0.15, 8), (6e-3, 0.15, 8),
        (1e-2, 0.15, 8), (6e-3, 0.05, 8), (6e-3, 0.015, 8)),
    'GSLoRAPlusPlus': _choices('prototype_forget', (0.005,), (0.05,)),
}

_base_ = '../ddetr_forget_80-10x7.py'
# Weights of the authors' detection script (arXiv 2501.09705), which is few-shot.
method = dict(
    type='GSLoRAPlusPlus',
    beta=[0.15, 0.15, 0.35, 0.6, 0.15, 0.2, 0.2],
    prototype_forget=0.005,
    prototype_retain=0.0,
    prototype_bound=18.0)
sequence = dict(
    forget=dict(_delete_=True, shots=32, per='total', batch_size=16),
    retain=dict(_delete_=True, shots=32, per='total', batch_size=16))

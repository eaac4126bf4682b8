# The VAEs and the temperature are those of the authors' code (ShaofeiShen768/LAF).
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='LAF')

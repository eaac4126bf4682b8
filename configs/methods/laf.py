# The VAEs, the temperature and the weight of the alignment are those of the authors' code
# (ShaofeiShen768/LAF, unlearning of classes); that of the repair, of LAF+R, is ours.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='LAF', align=5.0, temperature=20.0, repair=1.0)

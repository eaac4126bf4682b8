# The VAEs and the temperature are those of the authors' code (ShaofeiShen768/LAF, unlearning of
# classes), and so is the 5, there of two rates; the weight of the repair, of LAF+R, is ours.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='LAF', align=5.0, temperature=20.0, repair=1.0)

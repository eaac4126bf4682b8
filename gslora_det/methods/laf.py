"""LAF: label-agnostic forgetting (Shen et al., arXiv 2404.00506)."""

from torch import Tensor, nn

from gslora_det.losses import alignment_loss, squashed_error
from gslora_det.losses.label_agnostic import CONTRASTS
from gslora_det.methods.base import Images
from gslora_det.methods.fine_tuning import FineTuning
from gslora_det.methods.objects import at_objects
from gslora_det.methods.teacher import Original
from gslora_det.methods.vae import VAE, trained_vae
from gslora_det.options import COUNT, NOT_NEGATIVE, POSITIVE, one_of, require
from gslora_det.readers import Batch, Reading, prefixed, reader_of
from gslora_det.registry import METHODS


@METHODS.register_module()
class LAF(FineTuning):
    """Embeddings of forgotten objects leave their distribution, those of retained ones stay.

    ``L = weight (mean_r s(|r - h(r)|^2) - mean_f s(|f - h_f(f)|^2)) + align L_align + repair
    L_det(retain)``, with r and f the embeddings at retained and forgotten objects, h and h_f two
    VAEs that learned these before the task, s of :func:`gslora_det.losses.squashed_error` and
    L_align of :func:`gslora_det.losses.alignment_loss`. (Kept are both losses and the VAEs.
    Images are matched to objects first, which takes their annotations, since a detector has
    one embedding a place. The paper takes the first two terms in turns, and repairs the
    classifier afterwards; here every step sees all, so that budgets compare, and what repairs
    is what trains, not the heads.)

    Args:
        weight (float): Weight of forgetting, the paper's extractor unlearning.
        align (float): Weight of the alignment with the original; in the authors' code its learning
            rate is 5 times that of forgetting.
        repair (float): Weight of the detector's loss on retain data; 0 is LAF, above it LAF+R.
        temperature (float): Of the alignment; 20 in the authors' code.
        contrast (str): What the alignment holds away from the original's embeddings of forgotten
            objects: ``'forget'``, those of the forgotten ones themselves (the authors' code), or
            ``'retain'``, those of retained ones.
        latent (int): Features of the VAEs' codes; 16 in the authors' code.
        kl (float): Weight of the VAEs' prior; 0.025 in the authors' code.
        vae_steps (int): Steps of training of each VAE, over all embeddings at once.
        vae_lr (float): Their learning rate; 0.001 in the authors' code.
        num_images (int): Images of each branch to train the VAEs on.
        cache_teachers (bool): Remember by image what the original says. Only right where the
            training pipeline has no random augmentation.
        **kwargs: See :class:`FineTuning`.
    """

    embeds = True

    def __init__(self, weight: float = 1.0, align: float = 5.0, repair: float = 0.0,
                 temperature: float = 20.0, contrast: str = 'forget', latent: int = 16,
                 kl: float = 0.025, vae_steps: int = 500, vae_lr: float = 1e-3,
                 num_images: int = 1000, cache_teachers: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        require('LAF', weight=(weight, NOT_NEGATIVE), align=(align, NOT_NEGATIVE),
                repair=(repair, NOT_NEGATIVE), temperature=(temperature, POSITIVE),
                contrast=(contrast, one_of(*CONTRASTS)), latent=(latent, COUNT),
                kl=(kl, NOT_NEGATIVE), vae_steps=(vae_steps, COUNT), vae_lr=(vae_lr, POSITIVE),
                num_images=(num_images, COUNT))
        self.weight = weight
        self.align = align
        self.repair = repair
        self.temperature = temperature
        self.contrast = contrast
        self.latent = latent
        self.kl = kl
        self.vae_steps = vae_steps
        self.vae_lr = vae_lr
        self.num_images = num_images
        self.original, = self.parts = Original(cache_teachers, self),

    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Trains the VAEs on the objects of each buffer."""
        self.vaes = [
            trained_vae(at_objects(detector, images(branch, self.num_images))[-1], self.latent,
                        self.vae_steps, self.vae_lr, self.kl) for branch in ('forget', 'retain')]

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> dict[str, Tensor]:
        """Forgetting and alignment at the places of objects, and the repair."""
        reader = reader_of(detector)
        on_forget, on_retain = reader.read(forget, retain)
        forgotten = self._embeddings(detector, on_forget, forget)
        retained = self._embeddings(detector, on_retain, retain)
        error_f, error_r = (squashed_error(each, vae.to(each.device)(each)) for (each, _), vae in
                            zip((forgotten, retained), self.vaes))
        terms = dict(
            extractor_loss=self.weight * (error_r - error_f),
            alignment_loss=self.align * alignment_loss(
                retained, forgotten, self.temperature, self.contrast))
        if self.repair:
            own, _ = reader.losses(on_retain, self.aux_losses)
            terms.update(prefixed('retain_', own, self.repair))
        return terms

    def _embeddings(self, detector: nn.Module, reading: Reading,
                    batch: Batch) -> tuple[Tensor, Tensor]:
        """At the places that the original matches to objects: the detector's, the original's."""
        reader = reader_of(detector)
        student, taught = self.original.readings(reading, batch)
        matched = reader.labels(taught) < reader.num_classes
        return student.embeddings[matched], taught.embeddings[matched]

    def state_dict(self) -> dict:
        """What the teacher said so far, and the VAEs."""
        return dict(super().state_dict(), vaes=[vae.state_dict() for vae in self.vaes])

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        super().load_state_dict(state)
        self.vaes = []
        for each in state['vaes']:
            vae = VAE(each['encoder.0.weight'].shape[1], self.latent).requires_grad_(False)
            vae.load_state_dict(each)
            self.vaes.append(vae)

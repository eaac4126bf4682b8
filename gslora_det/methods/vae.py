"""A variational autoencoder of embeddings (Kingma and Welling, arXiv 1312.6114)."""

import torch
from torch import Tensor, nn


class VAE(nn.Module):
    """Two hidden layers each way, a half and an eighth as wide as what they read.

    Those are the widths of LAF's authors; their decoder ends with a sigmoid, which suits no
    layer norm's outputs.

    Args:
        dim (int): Features of an embedding.
        latent (int): Features of the code.
    """

    def __init__(self, dim: int, latent: int) -> None:
        super().__init__()
        wide, narrow = max(1, dim // 2), max(1, dim // 8)
        self.encoder = nn.Sequential(
            nn.Linear(dim, wide), nn.ReLU(), nn.Linear(wide, narrow), nn.ReLU(),
            nn.Linear(narrow, 2 * latent))
        self.decoder = nn.Sequential(
            nn.Linear(latent, narrow), nn.ReLU(), nn.Linear(narrow, wide), nn.ReLU(),
            nn.Linear(wide, dim))

    def code(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Means and logarithms of the variances, each of shape (M, latent)."""
        return self.encoder(embeddings).chunk(2, -1)

    def forward(self, embeddings: Tensor) -> Tensor:
        """What is left of embeddings of shape (M, dim) by way of the mean code."""
        return self.decoder(self.code(embeddings)[0])

    def loss(self, embeddings: Tensor, kl: float) -> Tensor:
        """``|x - h(x)|^2 + kl KL(code || normal)``, mean over embeddings, with a drawn code."""
        mean, log_variance = self.code(embeddings)
        drawn = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        error = (self.decoder(drawn) - embeddings).square().sum()
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        return (error + kl * divergence) / max(len(embeddings), 1)


def trained_vae(embeddings: Tensor, latent: int, steps: int, lr: float, kl: float) -> VAE:
    """A VAE that has learned what embeddings of shape (M, dim) are like, frozen."""
    vae = VAE(embeddings.shape[1], latent).to(embeddings)
    optimizer = torch.optim.Adam(vae.parameters(), lr)
    for _ in range(steps):
        optimizer.zero_grad()
        vae.loss(embeddings, kl).backward()
        optimizer.step()
    return vae.requires_grad_(False)

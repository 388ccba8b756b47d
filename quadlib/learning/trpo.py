"""sb3-contrib's TRPO, and what its line search did."""

import numpy as np
import torch
from sb3_contrib import TRPO
from torch.nn.utils import parameters_to_vector


class LoggedTRPO(TRPO):
    """TRPO as it is in sb3-contrib, to the last bit, with two more diagnostics.

    `train/line_search_steps`: points that the line search tried. 1: the full step of Eq. (17) was
    accepted. `train/step_size`: the α in θ_{k+1} = θ_k + α H⁻¹g that came out, 0 where no point
    was accepted.
    """

    def hessian_vector_product(
        self, params: list, grad_kl: torch.Tensor, vector: torch.Tensor, retain_graph: bool = True
    ) -> torch.Tensor:
        """The library's. The last product of an update is the one with the search direction."""
        product = super().hessian_vector_product(params, grad_kl, vector, retain_graph)
        self._last_product = params, parameters_to_vector(params).detach(), vector, product
        return product

    def train(self) -> None:
        """The library's, then a look at how far the policy moved along the search direction."""
        super().train()
        params, before, direction, product = self._last_product
        del self._last_product  # a model that is saved shall not carry it
        moved = parameters_to_vector(params).detach() - before
        step_size = float(moved.norm() / direction.norm())
        shrinking = self.line_search_shrinking_factor
        full = float(torch.sqrt(2 * self.target_kl / (direction @ product)))  # Eq. (17)
        steps = float(self.line_search_max_iter)
        if step_size > 0:
            steps = 1 + np.round(np.log(step_size / full) / np.log(shrinking))
        self.logger.record("train/line_search_steps", steps)
        self.logger.record("train/step_size", step_size)

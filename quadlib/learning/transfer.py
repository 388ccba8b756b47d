"""Transfer: a trained agent's networks as the start of another training, such as TRPO's for PPO."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy

from quadlib.learning.agent import ACTOR, CRITIC, Agent, home_of, layers, short_name
from quadlib.learning.sb3 import load_agent
from quadlib.learning.training import Run, train

# What can be carried over, and how the names of its arrays begin. The critic's numbers are in units
# of the return scale, so the two go together.
PARTS = {
    "policy": ("actor.",),
    "critic": ("critic.", "return_scale"),
    "log_std": ("log_std",),
    "statistics": ("observation_mean", "observation_var"),
}


def transfer(
    agent: Agent,
    algorithm: str = "ppo",
    parts: Sequence[str] = tuple(PARTS),
    critic_warmup: int = 0,
    **options: Any,
) -> Run:
    """Train on from an agent, with a fresh optimizer, in the environment that it comes from.

    The new agent's `about["lineage"]` lists its ancestors, the oldest first. With `folder=...` the
    run is stored and resumed as any other; its steps count from 0.

    Args:
        agent: what to start from.
        algorithm: that trains it on.
        parts: what is carried over: "policy" (the network of the mean), "critic", "log_std" (the
            policy's deviation), "statistics" (of the observations). What is left out begins anew.
        critic_warmup: so many updates at first in which the critic learns and the policy stands
            still. For "ppo" and "ppo_kl".
        **options: of `quadlib.train`, settings of the algorithm among them. The networks are as
            large as the agent's.

    Raises:
        ValueError: parts that do not exist; networks, spaces, environment or reward that do not
            fit the agent.
    """
    start = Start(agent, tuple(parts), critic_warmup)
    options.setdefault("hidden", _hidden(agent, ACTOR))
    if "env" not in options:
        options["env"] = home_of(agent)
    return train(algorithm, start=start, **options)


@dataclass(frozen=True)
class Start:
    """What a training begins with, in place of random networks. See `transfer`."""

    agent: Agent
    parts: tuple[str, ...]
    critic_warmup: int

    def __post_init__(self) -> None:
        if unknown := set(self.parts) - PARTS.keys():
            raise ValueError(f"parts are some of {', '.join(PARTS)}, not {', '.join(unknown)}")
        if not (isinstance(self.critic_warmup, int) and self.critic_warmup >= 0):
            raise ValueError(f"critic_warmup is a number of updates, not {self.critic_warmup!r}")

    def lineage(self, plan: dict[str, Any]) -> list[dict[str, Any]]:
        """The ancestors of an agent that is trained by this plan, ready for JSON.

        Raises ValueError where the plan does not fit the agent.
        """
        self._check(plan)
        about = self.agent.about
        parent = {name: about.get(name) for name in ("algorithm", "env", "seed", "steps")}
        parent |= {
            "agent": self.agent.fingerprint,
            "parts": list(self.parts),
            "critic_warmup": self.critic_warmup,
        }
        return [*(about.get("lineage") or []), parent]

    def put_into(self, model: OnPolicyAlgorithm) -> None:
        """Give a new model the parts. Raises ValueError where its spaces are not the agent's."""
        normalizer = model.policy.features_extractor
        ours = len(self.agent.arrays["observation_mean"]), len(self.agent.arrays["log_std"])
        theirs = normalizer.features_dim, model.action_space.shape[0]
        if ours != theirs:
            raise ValueError(
                "the agent has {} observations and {} actions, ".format(*ours)
                + "the environment has {} and {}".format(*theirs)
            )
        load_agent(model.policy, self.agent, sum((PARTS[part] for part in self.parts), ()))
        if "statistics" in self.parts:
            normalizer.observation_count.fill_(self._seen("statistics"))
        if "critic" in self.parts:
            normalizer.return_count.fill_(self._seen("critic"))

    def during(self, update: int, policy: ActorCriticPolicy) -> AbstractContextManager:
        """What an update, counted from 0, happens in: at first the policy stands still."""
        return critic_alone(policy) if update < self.critic_warmup else nullcontext()

    def _seen(self, part: str) -> int:
        """Steps that a part's statistics are from, also its ancestors' as far as they handed it on:
        what they weigh against new data."""
        about = self.agent.about
        steps = about.get("steps", 1)
        for parent in reversed(about.get("lineage") or []):
            if part not in parent["parts"]:
                break
            steps += parent.get("steps") or 0
        return steps

    def _check(self, plan: dict[str, Any]) -> None:
        about, hidden = self.agent.about, tuple(plan["settings"]["hidden"])
        if short_name(about.get("env", plan["env"])) != plan["env"]:
            raise ValueError(
                f"the agent was trained in {about['env']}, not in {plan['env']}: "
                "transfer it in its own environment"
            )
        if "critic" in self.parts and about.get("reward") != plan["reward"]:
            raise ValueError(
                f"the agent's critic has learned what the reward {about.get('reward') or 'slides'} "
                'pays: leave "critic" out of the parts, or take that reward'
            )
        for part, network in (("policy", ACTOR), ("critic", CRITIC)):
            theirs = _hidden(self.agent, network)
            if part in self.parts and theirs != hidden:
                raise ValueError(f"the agent's {part} has hidden={theirs}, the new one {hidden}")
        if self.critic_warmup and plan["algorithm"] == "trpo":
            raise ValueError('critic_warmup is for "ppo" and "ppo_kl": TRPO needs its gradient')


@contextmanager
def critic_alone(policy: ActorCriticPolicy) -> Iterator[None]:
    """Only the critic's weights can be trained; an adaptive penalty's weight stays as it is."""
    still = [each for name, each in policy.named_parameters() if "value_net" not in name]
    beta = float(policy.beta) if hasattr(policy, "beta") else None
    for parameter in still:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in still:
            parameter.requires_grad_(True)
        if beta is not None:
            policy.beta.fill_(beta)


def _hidden(agent: Agent, network: str) -> tuple[int, ...]:
    return tuple(bias.size for _, bias in layers(agent.arrays, network)[:-1])

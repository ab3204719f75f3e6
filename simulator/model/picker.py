"""Which backend a client connects to where there is no balancer: the policies, at the clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.balancing.membership import Backend as Told
from simulator.balancing.membership import Insert, Membership, Remove
from simulator.balancing.policies.select import select_load, select_policy
from simulator.seeds import pure_random, stream_key

if TYPE_CHECKING:
    from simulator.balancing.load import Load
    from simulator.model.directory import Directory
    from simulator.scenario.schema import Scenario


class Picker:
    """Which backend a generator process connects to, where there is no balancer."""

    def __init__(self, scenario: Scenario, worker: int, directory: Directory) -> None:
        policy = scenario.balancer.policy
        seed = stream_key(scenario.seed, "client-policy", worker) >> 65
        stream = pure_random(seed, "picks", worker)
        self._policy: Any = select_policy(policy.name, policy.choices, stream, start=worker)
        self._directory = directory
        self._membership = Membership()
        self.load: Load = select_load(policy.name)
        self.destination: dict[int, int] = {}

    def insert(self, backend: int, address: str, port: int) -> None:
        """A backend may be picked from now on."""
        self._membership.apply(Insert(backend=Told(backend_id=backend, address=address, port=port)))
        self.load.insert(backend)
        self.destination[backend] = self._directory.number((address, port))

    def remove(self, backend: int) -> None:
        """A backend is not picked any more."""
        self._membership.apply(Remove(backend_id=backend))
        self.load.remove(backend)

    def pick(self) -> int:
        """A backend, -1 when there is none."""
        picked: int = self._policy.pick(self._membership.eligible, self.load, ())
        return picked

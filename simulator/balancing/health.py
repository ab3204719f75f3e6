"""Who is fit to be picked: what checks and connections say of each backend, and when to panic.

Two witnesses are heard. *Active checks*: `fall` failures in a row take a backend out, `rise`
successes bring it back. *Passive ejection*: connects in a row that failed take it out for a time,
longer with each repetition. When too few are left, taking more out would drown the rest: below
the panic threshold all are picked again, fit or not.

Source: Envoy, "Outlier detection" and "Panic threshold" (ejection time grows by repetition; 50 %).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """When a backend is out and when it is back.

    Attributes:
        fall: failed checks in a row that take it out.
        rise: good ones in a row that bring it back.
        failures: failed connects in a row that eject it; 0 = never.
        eject_ns: for how long the first time; n times as long the n-th time.
        panic: share of backends that must be fit; below it all are in.
    """

    fall: int = 3
    rise: int = 2
    failures: int = 0
    eject_ns: int = 1_000_000_000
    panic: float = 0.5


@dataclass(slots=True, eq=False)
class _Member:
    is_up: bool = True  # by active checks
    streak: int = 0  # checks in a row that disagree with is_up
    failed: int = 0  # connects in a row that failed
    ejections: int = 0
    out_until_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Backends to put into rotation and to take out of it."""

    put_in: tuple[int, ...] = ()
    take_out: tuple[int, ...] = ()


_NOTHING = Change()


@dataclass(slots=True, eq=False)
class Health:
    """Decides who is in rotation; its caller acts on each `Change`.

    Times are those of one clock, in ns.

    Attributes:
        settings: when a backend is out.
        ejections: how often one was ejected.
        panics: how often too few were fit.
        is_panicking: whether all are in because too few are fit.
    """

    settings: HealthSettings
    ejections: int = 0
    panics: int = 0
    is_panicking: bool = False
    _members: dict[int, _Member] = field(default_factory=dict)
    _out: set[int] = field(default_factory=set)
    _unfit: set[int] = field(default_factory=set)

    def insert(self, backend_id: int) -> Change:
        """A backend came, or moved: it begins as fit."""
        self._members[backend_id] = _Member()
        self._unfit.discard(backend_id)
        self._out.discard(backend_id)
        return self._settle()

    def remove(self, backend_id: int) -> Change:
        """A backend left; it is out of rotation by that."""
        self._members.pop(backend_id, None)
        self._unfit.discard(backend_id)
        self._out.discard(backend_id)
        return self._settle()

    def connected(self, backend_id: int) -> None:
        """A connection to it was made."""
        member = self._members.get(backend_id)
        if member is not None:
            member.failed = 0

    def failed(self, backend_id: int, now_ns: int) -> Change:
        """A connect to it failed for a reason of its own."""
        member = self._members.get(backend_id)
        if member is None or not self.settings.failures:
            return _NOTHING
        member.failed += 1
        if member.failed < self.settings.failures or member.out_until_ns is not None:
            return _NOTHING
        member.failed = 0
        member.ejections += 1
        member.out_until_ns = now_ns + member.ejections * self.settings.eject_ns
        self.ejections += 1
        self._unfit.add(backend_id)
        return self._settle()

    def checked(self, backend_id: int, is_good: bool) -> Change:
        """An active check has its result."""
        member = self._members.get(backend_id)
        if member is None:
            return _NOTHING
        if is_good == member.is_up:
            member.streak = 0
            return _NOTHING
        member.streak += 1
        if member.streak < (self.settings.rise if is_good else self.settings.fall):
            return _NOTHING
        member.is_up, member.streak = is_good, 0
        return self._judge(backend_id, member)

    def advance(self, now_ns: int) -> Change:
        """End the ejections whose time is over."""
        over = [
            (backend_id, member)
            for backend_id in self._unfit
            if (member := self._members[backend_id]).out_until_ns is not None
            and member.out_until_ns <= now_ns
        ]
        put_in: tuple[int, ...] = ()
        take_out: tuple[int, ...] = ()
        for backend_id, member in over:
            member.out_until_ns = None
            change = self._judge(backend_id, member)
            put_in += change.put_in
            take_out += change.take_out
        return Change(put_in=put_in, take_out=take_out)

    def next_ns(self) -> int | None:
        """When the first ejection is over; None without any."""
        moments = [self._members[one].out_until_ns for one in self._unfit]
        return min((at for at in moments if at is not None), default=None)

    def is_out(self, backend_id: int) -> bool:
        """Whether it is known and out of rotation."""
        return backend_id in self._out

    def _judge(self, backend_id: int, member: _Member) -> Change:
        if member.is_up and member.out_until_ns is None:
            self._unfit.discard(backend_id)
        else:
            self._unfit.add(backend_id)
        return self._settle()

    def _settle(self) -> Change:
        """Bring the rotation in line with who is fit."""
        fit = len(self._members) - len(self._unfit)
        panics = bool(self._unfit) and fit < self.settings.panic * len(self._members)
        if panics and not self.is_panicking:
            self.panics += 1
        self.is_panicking = panics
        wanted = set() if panics else set(self._unfit)
        change = Change(
            put_in=tuple(sorted(self._out - wanted)), take_out=tuple(sorted(wanted - self._out))
        )
        self._out = wanted
        return change

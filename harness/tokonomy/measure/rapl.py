"""Energy of processor packages: Intel's and AMD's RAPL counters, through Linux's powercap folder.

``intel-rapl:0`` is a package where its file ``name`` says so; ``intel-rapl:0:1`` is a part of it
(core, uncore, memory) and never added, nor is ``psys``, which holds everything. Packages of several
sockets do add up. Since 2020 only root may read the counters (CVE-2020-8694).

The register counts microjoules up to ``max_energy_range_uj`` and begins again at 0; that is undone,
as long as it is read several times in a round, which takes minutes at full power. A register that
falls by less than half of its range did not begin a new round; it was set back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tokonomy.errors import TelemetryError
from tokonomy.measure.telemetry import tried
from tokonomy.store.fields import Boundary, Missing

ROOT = Path("/sys/class/powercap")
QUANTUM_UJ = 100
"""Largest step of a register: 2^-14 J is usual, 61 uJ; AMD's and newer ones are finer."""

_LARGEST = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One package: its folder, its name, and where its register begins again."""

    folder: Path
    name: str
    range_uj: int

    def read(self) -> int:
        """The register; raises ``TelemetryError``."""
        value = _number(self.folder / "energy_uj")
        if value > self.range_uj:
            raise unreadable(self.folder, f"{value} is above its own range, {self.range_uj}")
        return value


@dataclass(slots=True)
class RaplCounter:
    """Packages of a machine, added up.

    Registers tick by themselves. So that a change of the sum is a tick of the whole, a new sum is
    given only when every register has moved since the reading before.
    """

    domains: tuple[Domain, ...]
    meter: str = "rapl-package"
    boundary: Boundary = "package"
    _raw: list[int] = field(default_factory=list)
    _total: list[int] = field(default_factory=list)
    _given: int = 0

    @property
    def device(self) -> str:
        """Names of the packages."""
        return ", ".join(domain.name for domain in self.domains)

    @property
    def quantum_uj(self) -> int:
        """Step of the sum."""
        return QUANTUM_UJ * len(self.domains)

    def read(self) -> int:
        """Microjoules since the first reading.

        Raises ``TelemetryError``: ``rapl-unreadable``, ``counter-reset``.
        """
        raw = [domain.read() for domain in self.domains]
        if not self._raw:
            self._raw, self._total = raw, [0] * len(raw)
            return 0
        before, self._raw = self._raw, raw
        steps = [
            _step(domain, was, now)
            for domain, was, now in zip(self.domains, before, raw, strict=True)
        ]
        self._total = [total + step for total, step in zip(self._total, steps, strict=True)]
        if all(steps):
            self._given = sum(self._total)
        return self._given

    def power_w(self) -> float | None:
        """None: there is no such field."""
        return None


def _step(domain: Domain, was: int, now: int) -> int:
    """What a register counted between two readings."""
    if now >= was:
        return now - was
    if was - now < domain.range_uj / 2:
        raise TelemetryError("counter-reset", f"{domain.name} fell from {was} to {now} uJ")
    return now - was + domain.range_uj


def open_counter(root: Path = ROOT) -> RaplCounter | Missing:
    """The counter of this machine's packages, or why there is none."""
    return tried(_opened, root)


def _opened(root: Path) -> RaplCounter:
    domains = packages(root)
    if not domains:
        raise TelemetryError("rapl-absent", f"no package below {root}")
    counter = RaplCounter(domains)
    counter.read()
    return counter


def packages(root: Path) -> tuple[Domain, ...]:
    """Every package domain, by name; raises ``TelemetryError`` where one cannot be read."""
    found = []
    for folder in sorted(root.glob("intel-rapl:*"), key=lambda path: path.name):
        if folder.name.count(":") == 1 and _name(folder).startswith("package-"):
            range_uj = _number(folder / "max_energy_range_uj")
            found.append(Domain(folder=folder, name=_name(folder), range_uj=range_uj))
    names = [domain.name for domain in found]
    if len(set(names)) != len(names):
        raise unreadable(root, f"two domains of one name: {', '.join(names)}")
    return tuple(found)


def _name(folder: Path) -> str:
    """What the domain says it is, such as ``package-0``."""
    return _text(folder / "name").strip()[:40]


def _text(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            return file.read(64)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise unreadable(path, why or "cannot be read") from None


def _number(path: Path) -> int:
    text = _text(path).strip()
    if not (text.isascii() and text.isdigit()) or int(text) >= _LARGEST:
        raise unreadable(path, f"expected a number; got {text[:20]!r}")
    return int(text)


def unreadable(path: Path, why: str) -> TelemetryError:
    """A domain that does not tell."""
    return TelemetryError("rapl-unreadable", f"{path.name}: {why}")

"""Gauges: how workers are, asked for when the metrics are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from txregistry.workers.supervising import Stage, Supervisor, Worker


class WorkerGauges(Collector):
    """How many workers there are, and what each takes of the machine."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Take what knows them."""
        self._supervisor = supervisor

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        workers = self._supervisor.workers
        stages = Counter(worker.stage for worker in workers)
        states = GaugeMetricFamily(
            "registry_workers", "Workers, by how far they are.", labels=["stage"]
        )
        for stage in Stage:
            states.add_metric([stage.value], stages[stage])
        ends = CounterMetricFamily(
            "registry_worker_ends",
            "Workers' processes that have ended, and were replaced.",
            labels=["worker"],
        )
        cpu = CounterMetricFamily(
            "registry_worker_cpu_seconds",
            "CPU time of a worker's process.",
            labels=["worker"],
        )
        memory = GaugeMetricFamily(
            "registry_worker_resident_memory_bytes",
            "Memory of a worker's process.",
            labels=["worker"],
        )
        for worker in workers:
            name = [str(worker.number)]
            ends.add_metric(name, worker.ends)
            found = _of_process(worker)
            for family, sample in (
                (cpu, "process_cpu_seconds_total"),
                (memory, "process_resident_memory_bytes"),
            ):
                if sample in found:
                    family.add_metric(name, found[sample])
        yield from (states, ends, cpu, memory)


def _of_process(worker: Worker) -> dict[str, float]:
    """Return what the system knows of it, by prometheus_client's names."""
    if worker.process is None:
        return {}
    pid = worker.process.pid
    collector = ProcessCollector(pid=lambda: pid, registry=None)
    return {
        sample.name: sample.value
        for metric in collector.collect()
        for sample in metric.samples
    }

"""Takes up a plan where it was left: ``light_executor.py <database> <file of jobs>``."""

import signal
import sys
from pathlib import Path

from tokonomy.run.choice import pending
from tokonomy.run.executor import Event, execute
from tokonomy.run.job import Job
from tokonomy.store.database import open_store


def tell(event: Event) -> None:
    print(event.kind, flush=True)


def main(database: str, plan: str) -> None:
    jobs = [Job.model_validate_json(line) for line in Path(plan).read_text().splitlines()]
    with open_store(database) as store:
        execute(
            pending(jobs, store.statuses()), store, on_event=tell, start="fork",
            worker="light_worker",
        )  # fmt: skip


if __name__ == "__main__":
    # As in a shell of one's own: where tests run in the background these may come ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    main(*sys.argv[1:])

"""Names and labels of pods; they tell whose pod it is, and which of its pods."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import md5
from typing import Any

TASK_LABEL, RUN_LABEL, NUMBER_LABEL = "stormsight/task", "stormsight/run", "stormsight/number"


def task_identity(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> str:
    """Return 16 hexadecimal digits that identify a task instance: the same for every try."""
    index = -1 if map_index is None else map_index
    return digest("/".join((dag_id, run_id, task_id, str(index))), 16)


def label_value(text: str) -> str:
    """Return ``text`` as a label's value: unchanged if valid, else shortened, with a hash of the whole."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("_.-")
    if safe == text and len(safe) <= 63:
        return safe
    return f"{safe[:53].rstrip('_.-')}-{digest(text, 8)}".lstrip("-")


def digest(text: str, length: int) -> str:
    """Return the first ``length`` hexadecimal digits of a hash; it need not be hard to forge."""
    return md5(text.encode(), usedforsecurity=False).hexdigest()[:length]


def pod_name(task_id: str, identity: str, number: int) -> str:
    """Return the name of a task instance's pod: the same for every try, process and scheduler.

    Args:
        task_id: The task; it makes the name readable.
        identity: Text that identifies the task instance.
        number: 0 for its first pod, one more for each that ended.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", task_id.lower()).strip("-")[:36].strip("-")
    return f"{readable or 'stage'}-{digest(identity, 12)}-{number}"


def next_number(pods: Sequence[Any]) -> int:
    """Return the number of a task instance's next pod (``V1Pod`` objects), from 0."""
    return max((_number(pod) + 1 for pod in pods), default=0)


def newest_unchecked(pods: Sequence[Any], checked_label: str) -> Any:  # noqa: ANN401 - a V1Pod
    """Return the newest pod whose end no try has classified; ``None`` if there is none.

    Args:
        pods: Pods of one task instance (``V1Pod`` objects).
        checked_label: Label that is ``True`` on pods whose end was classified.
    """
    left = [pod for pod in pods if pod.metadata.labels.get(checked_label) != "True"]
    return max(left, key=_number, default=None)


def _number(pod: Any) -> int:  # noqa: ANN401 - a V1Pod
    return int(pod.metadata.labels.get(NUMBER_LABEL, 0))

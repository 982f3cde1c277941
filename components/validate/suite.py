"""Rules held against tables by Great Expectations, whose HTML data docs are the readable record.

Great Expectations takes seconds to import, so it is imported only when a suite runs.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from components.contract.temporary import scratch_folder
from components.validate.rules import Rule

KEYS = ("image_id", "strip")
"""Columns that identify a row beside its acquisition: the first of them that the table has."""


@dataclass(frozen=True, slots=True)
class RuleResult:
    """Result of one rule.

    Attributes:
        rule: The rule.
        success: True if the expectation as a whole was met.
        failing: Failing rows as {key column or the rule's column: value}; empty for rules held once.
        observed: Observed value of a rule held once, or the share of failing rows.
    """

    rule: Rule
    success: bool
    failing: tuple[dict[str, Any], ...]
    observed: float | None


class Suites:
    """Runs suites in one throw-away project whose data docs lie in ``docs``."""

    def __init__(self, context: Any) -> None:  # noqa: ANN401 - untyped library
        self._context = context

    def run(self, name: str, table: pd.DataFrame, rules: list[Rule]) -> list[RuleResult]:
        """Hold ``rules`` against ``table``.

        Args:
            name: Name of the suite in the data docs.
            table: Must have every column that a rule looks at; missing values meet every rule held per row.
            rules: In any order.

        Returns:
            One result per rule, in their order.
        """
        gx: Any = import_module("great_expectations")
        context = self._context
        key = ["acquisition", next(column for column in KEYS if column in table)]
        table = table[list(dict.fromkeys([*key, *(rule.column for rule in rules)]))]
        batch = (
            context.data_sources.add_pandas(name)
            .add_dataframe_asset(name)
            .add_batch_definition_whole_dataframe("all")
        )
        suite = context.suites.add(
            gx.ExpectationSuite(
                name=name, expectations=[_expectation(rule, i) for i, rule in enumerate(rules)]
            )
        )
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(name=name, data=batch, suite=suite)
        )
        checkpoint = gx.Checkpoint(
            name=name,
            validation_definitions=[definition],
            result_format={
                "result_format": "COMPLETE",
                "unexpected_index_column_names": key,
            },
        )
        result = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": table})
        (run,) = result.run_results.values()
        results = {int(item.expectation_config.meta["index"]): _result(item, rules) for item in run.results}
        return [results[index] for index in range(len(rules))]


@contextmanager
def suites(docs: Path) -> Iterator[Suites]:
    """Open a fresh project whose data docs are rendered into the empty folder ``docs`` at the end."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    gx: Any = import_module("great_expectations")
    types: Any = import_module("great_expectations.data_context.types.base")
    with scratch_folder("gx") as project:
        context = gx.get_context(mode="file", project_root_dir=project)
        context.variables.progress_bars = types.ProgressBarsConfig(globally=False)
        context.delete_data_docs_site("local_site")
        context.add_data_docs_site(
            "validate",
            {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": {
                    "class_name": "TupleFilesystemStoreBackend",
                    "base_directory": str(docs.absolute()),
                },
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            },
        )
        yield Suites(context)
        with _raising_what_is_logged("great_expectations.render.renderer.site_builder"):
            context.build_data_docs()


@contextmanager
def _raising_what_is_logged(name: str) -> Iterator[None]:
    """Raise the first exception that a library only logged: the site builder goes on without its page."""
    logger, kept = logging.getLogger(name), _Exceptions()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(kept)
    try:
        yield
    finally:
        logger.removeHandler(kept)
        logger.propagate = propagate
    if kept.found:
        raise kept.found[0]


class _Exceptions(logging.Handler):
    """Handler that keeps the exceptions in whose handling something is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exception that is being handled."""
        error = sys.exc_info()[1]
        self.found.append(RuntimeError(record.getMessage()) if error is None else error)


def _expectation(rule: Rule, index: int) -> Any:  # noqa: ANN401 - untyped library
    classes: Any = import_module("great_expectations.expectations")
    arguments: dict[str, Any] = {
        "meta": {"index": index, "rule": rule.name},
        "description": " ".join(f"{rule.name}: {rule.product} {rule.what}: {rule.allowed}".split()),
        "column": rule.column,
    }
    if rule.kind == "in":
        return classes.ExpectColumnValuesToBeInSet(
            value_set=list(rule.values), mostly=rule.mostly, **arguments
        )
    arguments |= {"min_value": rule.low, "max_value": rule.high}
    match rule.kind:
        case "between":
            return classes.ExpectColumnValuesToBeBetween(mostly=rule.mostly, **arguments)
        case "sum":
            return classes.ExpectColumnSumToBeBetween(**arguments)
        case "mean":
            return classes.ExpectColumnMeanToBeBetween(**arguments)


def _result(item: Any, rules: list[Rule]) -> RuleResult:  # noqa: ANN401 - untyped library
    rule = rules[int(item.expectation_config.meta["index"])]
    if item.exception_info and item.exception_info.get("raised_exception"):
        raise RuntimeError(f"rule {rule.name} could not be evaluated: {item.exception_info}")
    result = item.result or {}
    observed = result.get("observed_value")
    return RuleResult(
        rule=rule,
        success=bool(item.success),
        failing=tuple(result.get("unexpected_index_list") or ()),
        observed=None if observed is None or pd.isna(observed) else float(observed),
    )

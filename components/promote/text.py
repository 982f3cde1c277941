"""Decision record as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Part = Mapping[str, Any]

PAGES = (
    "Pages of the same run, relative to this file:\n"
    "  evaluation  ../evaluate/report/index.html\n"
    "  validation  ../validate/docs/index.html"
)


def text_of(document: Part, pages: str = PAGES) -> str:
    """Return ``decision.json`` as text, with the pages of the same run."""
    blocks = [_simulated(document["simulated"])]
    blocks += ["\n".join(_model_lines(name, part)) for name, part in sorted(document["models"].items())]
    return "\n\n".join([*blocks, pages]) + "\n"


def _simulated(simulated: bool) -> str:
    if simulated:
        return "SIMULATED: all numbers below are from the rehearsal world, none from a real sensor."
    return "All numbers below are from real acquisitions."


def _model_lines(model: str, part: Part) -> Iterator[str]:
    decision = part["decision"]
    against = decision["champion_version"]
    rival = "there was no champion" if against is None else f"the champion was version {against}"
    yield f"{model}: version {decision['version']} {part['outcome'].upper()} ({rival})"
    control = decision["control"]
    told = "it has no control" if control is None else f"its control is {control['model']}"
    yield f"  method {decision['method']}; {told}{'; simulated' if decision['simulated'] else ''}"
    yield ""
    yield from (f"  because {reason}" for reason in part["reasons"])
    yield ""
    yield from _values(decision)
    yield from _test(decision)
    yield "  checks:"
    yield from (
        f"    {'ok  ' if c['passed'] else 'FAIL'}  {c['name']}: {c['words']}" for c in decision["checks"]
    )
    if decision["guards"]:
        yield ""
        yield "  guard slices (challenger, champion, difference with its interval, p of a larger fall):"
        yield from (_guard(guard) for guard in decision["guards"])
    yield ""
    yield "  SHA-256:"
    yield from (f"    {name:<11}{value}" for name, value in sorted(decision["sha256"].items()))
    yield f"    {'decision':<11}{part['decision_sha256']}"
    if part["ledger"]:
        yield f"    {'ledger':<11}{part['ledger']['hash']} (entry {part['ledger']['seq']})"


def _values(decision: Part) -> Iterator[str]:
    sensors = ", ".join(decision["sensors"]) or "no common sensor"
    yield f"  {decision['metric']} on {decision['tiles']} {decision['ground']} of {sensors}:"
    for name in ("challenger", "champion", "gain"):
        if decision[name]:
            yield f"    {name:<11}{_interval(decision[name], '+' if name == 'gain' else '')}"
    if decision["control"] and decision["control"]["gain"]:
        yield f"    {'over control':<11} {_interval(decision['control']['gain'], '+')}"
    for sensor, values in decision["by_sensor"].items():
        yield f"  on {sensor} alone:"
        for name in ("challenger", "champion"):
            if values[name]:
                unadapted = name == "champion" and values["gain_over_unadapted"]
                yield f"    {name:<11}{_interval(values[name], '')}{' (unadapted)' if unadapted else ''}"
    yield ""


def _test(decision: Part) -> Iterator[str]:
    rules, test = decision["rules"], decision["test"]
    spread = rules["training_spread"][decision["metric"]]
    noise = "not measured, so that no gain counts"
    if spread is not None:
        noise = f"standard deviation {spread:g} of {decision['metric']}, twice in every gain"
    yield f"  noise of training: {noise}"
    if test is None and decision["champion_version"] is None:
        yield "  error budget: nothing is spent, there was no champion to beat"
    elif test is None:
        yield "  error budget: the challenger took its number, but there was no tile to test its gain on"
    elif test["number"] is None:
        yield "  error budget: nothing is spent, it is the champion itself"
    else:
        yield (
            f"  error budget: challenger {test['number']} of this line, tested at level {test['level']:.4g}; "
            f"{test['remaining']:.4g} of {rules['error_budget']:g} remains"
        )
    if test is not None and test["number"] is not None and test["detectable"] is not None:
        yield f"  power: a gain of {test['detectable']:.4f} is found with {test['power']:.0%} power"
    yield ""


def _interval(value: Part, sign: str) -> str:
    number = f"{value['value']:{sign}.4f}"
    if value["degenerate"]:
        return f"{number} (unknown interval, {value['locations']} ground blocks)"
    low, high, bound = (f"{value[name]:{sign}.4f}" for name in ("low", "high", "lower_bound"))
    return (
        f"{number}  [{low}, {high}] at {value['confidence']:.0%}, one-sided lower bound {bound}, "
        f"{value['locations']} ground blocks"
    )


def _guard(guard: Part) -> str:
    difference = guard["difference"]
    mark = ("ok  " if guard["passed"] else "FAIL") if guard["judged"] else "-   "
    ends = "unknown" if difference["degenerate"] else f"{difference['low']:+.4f}, {difference['high']:+.4f}"
    return (
        f"    {mark}  {guard['slice']:<32}{guard['metric']:<5}"
        f"{guard['challenger']:.4f}  {guard['champion']:.4f}  {difference['value']:+.4f} [{ends}]"
        + (f"  p {guard['p_value']:.3f}" if guard["judged"] else "  too small to judge")
    )

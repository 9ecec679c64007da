"""`tunesmith doctor`: what is wrong, and what to do about it."""

from dataclasses import asdict

import typer
from rich.table import Table
from tunesmith.cli.doctor_checks import Check, Verdict, check_gateway, machine_checks, service_checks
from tunesmith.cli.errors import EXIT_FAILED
from tunesmith.cli.output import Format, table
from tunesmith.cli.session import Session

_STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


def doctor(session: Session) -> None:
    """Check the server, its services and pools, and this machine. Exits with 1 if something is broken."""
    gateway = check_gateway(session.client.address)
    answers = gateway.verdict is not Verdict.FAIL
    # Behind a gateway that does not answer, each line would say the same again.
    checks = [gateway, *(service_checks(session.client) if answers else []), *machine_checks(answers)]
    if session.output.format is Format.TABLE:
        session.output.table(_table(checks))
    else:
        session.output.document({"checks": [asdict(check) for check in checks]})
    if any(check.verdict is Verdict.FAIL for check in checks):
        raise typer.Exit(EXIT_FAILED)


def _table(checks: list[Check]) -> Table:
    rows = [(check.verdict.value, check.name, f"{check.detail}{f'; {check.fix}' if check.fix else ''}") for check in checks]
    drawn = table("", "CHECK", "FOUND", rows=rows, whole=2)
    for index, check in enumerate(checks):
        drawn.rows[index].style = _STYLES[check.verdict] if check.verdict is not Verdict.OK else None
    return drawn

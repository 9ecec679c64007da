"""Structured logs: one line an event, a constant verb phrase and its facts, never a key and never a dataset's row."""

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send this process's logs to standard error: JSON, or coloured text on a terminal."""
    terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()

    def name_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        # Not a context variable: other threads would not have it.
        event["service"] = service
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            name_service,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )

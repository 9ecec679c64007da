"""Stays with a download until it is over, with a bar where there is a terminal."""

import time

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from tunesmith.cli import model_views, wording
from tunesmith.cli.errors import EXIT_FAILED, CliError
from tunesmith.cli.session import Session
from tunesmith.registry.v1 import base_model_pb2

POLL_S = 0.5
# Without a terminal the bar becomes a line now and then: one a tenth of the download.
NOTES_A_DOWNLOAD = 10


def watch_download(session: Session, model: base_model_pb2.BaseModel) -> base_model_pb2.BaseModel:
    """The model when its download has ended. Raises CliError with the reason if it failed."""
    columns = [TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), TaskProgressColumn()]
    figures = TextColumn("{task.fields[figures]}", markup=False)
    notes, noted = session.output.notes, 0
    with Progress(*columns, figures, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        task = bar.add_task(wording.plain(model.hub_repo), total=None, figures="")
        while model.cache_status == base_model_pb2.CACHE_STATUS_DOWNLOADING:
            download = model.download
            text = model_views.downloaded(download)
            bar.update(task, total=download.total_bytes or None, completed=download.done_bytes, figures=text)
            tenth = NOTES_A_DOWNLOAD * download.done_bytes // download.total_bytes if download.total_bytes else 0
            if bar.disable and tenth > noted:
                noted = tenth
                session.output.note(text)
            time.sleep(POLL_S)
            model = session.client.registry.get_base_model(id=model.id).base_model
    if model.cache_status != base_model_pb2.CACHE_STATUS_CACHED:
        raise CliError(f"{model.hub_repo} was not downloaded: {model.download.error}", EXIT_FAILED)
    return model

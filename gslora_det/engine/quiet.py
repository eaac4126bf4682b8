"""Keeping MMEngine's and MMDet's chatter off the terminal; log files keep all of it."""

import logging
import warnings
from pathlib import Path

from mmengine.logging import MMLogger


def quiet_logger(name: str, log_file: Path) -> MMLogger:
    """Makes the logger that a run of this experiment name will use, silent on screen.

    Args:
        name (str): The run's ``experiment_name``.
        log_file (Path): Where everything is written; errors also reach the terminal.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    logger = MMLogger.get_instance(name, logger_name='mmengine', log_file=str(log_file))
    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler:
            handler.setLevel(logging.ERROR)
    return logger


def silence_warnings() -> None:
    """Hides the libraries' deprecation warnings, which a user can do nothing about."""
    warnings.filterwarnings('ignore', category=DeprecationWarning)
    warnings.filterwarnings('ignore', category=FutureWarning)
    warnings.filterwarnings('ignore', message='.*pkg_resources.*')

"""Keep the libraries that train from talking over the product."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator

_LOUD = ("transformers", "trl", "peft", "datasets", "accelerate", "bitsandbytes")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence progress bars, warnings and logs of the libraries, for as long as it is entered."""
    import datasets
    from transformers.utils import logging as transformers_logging

    loggers = [logging.getLogger(name) for name in _LOUD]
    levels = [logger.level for logger in loggers]
    bars = datasets.are_progress_bars_disabled(), transformers_logging.is_progress_bar_enabled()
    forks = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if not bars[0]:
            datasets.enable_progress_bars()
        if bars[1]:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
        if forks is None:
            del os.environ["TOKENIZERS_PARALLELISM"]
        else:
            os.environ["TOKENIZERS_PARALLELISM"] = forks
